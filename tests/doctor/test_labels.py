"""Check of the labels' gradient in batches of which a part has labels."""

import pytest

from segkd_mm.doctor import Experiment, check_labels

CROSS_ENTROPY = dict(type='CrossEntropyLoss', avg_non_ignore=False)


def check(tiny, loss=CROSS_ENTROPY, labelled=1, hook=False):
    """Of a batch of four, of which some have labels."""
    config = tiny('kd/response_kd_shapes.py')
    config.model.student.decode_head.loss_decode = loss
    loader = config.train_dataloader
    loader.dataset = dict(
        type='ConcatDataset',
        datasets=[loader.dataset, dict(type='WithoutLabels', dataset=loader.dataset)],
    )
    loader.sampler = dict(type='FewLabelsEpochSampler', batch_size=4, labelled_per_batch=labelled)
    if hook:
        config.custom_hooks.append(dict(type='ClassWeightHook'))
    report = check_labels(Experiment(config))
    (finding,), (row,) = report.findings, report.rows
    return finding, row['gradient, times that of these images alone']


def test_a_mean_over_all_pixels_shrinks_with_the_share_of_labels_and_the_cure_is_named(tiny):
    finding, ratio = check(tiny)
    assert ratio == pytest.approx(0.25, rel=1e-3)
    assert finding.level == 'warning' and 'Of 4 images in a batch 1 have labels' in finding.text
    assert 'LabelledCrossEntropyLoss' in finding.advice


def test_a_mean_over_labelled_pixels_does_not(tiny):
    finding, ratio = check(tiny, dict(type='LabelledCrossEntropyLoss'))
    assert ratio == pytest.approx(1, rel=1e-3) and finding.level == 'ok'


def test_class_weights_of_the_hook_are_in_it(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    finding, ratio = check(tiny, hook=True)
    assert ratio == pytest.approx(1, rel=1e-3) and finding.level == 'ok'


def test_batches_with_labels_alone_have_nothing_to_compare(tiny):
    finding, ratio = check(tiny, labelled=4)
    assert ratio == 1 and finding.level == 'ok'


def test_a_batch_without_labels_is_said(tiny):
    config = tiny('kd/response_kd_shapes.py')
    config.train_dataloader.dataset = dict(
        type='WithoutLabels', dataset=config.train_dataloader.dataset
    )
    (finding,) = check_labels(Experiment(config)).findings
    assert finding.level == 'warning' and 'None of the 4 images' in finding.text
    assert 'FewLabels' in finding.advice
