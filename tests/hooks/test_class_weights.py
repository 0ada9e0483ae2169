import json
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
from mmcv.image import imwrite
from mmengine.dataset import ConcatDataset
from mmengine.runner import Runner
from mmseg.datasets import BaseSegDataset
from mmseg.models.losses import CrossEntropyLoss
from mmseg.registry import MODELS
from torch import nn

from segkd_mm.datasets import (
    DataLayoutError,  # noqa: F401  registers the data sets
    LoadCheckedAnnotations,
)
from segkd_mm.hooks.class_weights import class_weights, count_pixels, set_class_weights


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'segkd_mm'


@pytest.fixture
def masks(tmp_path):
    """Two masks of three classes: six, one and no pixels, and one of void."""
    folder = tmp_path / 'masks'
    imwrite(np.array([[0, 0], [0, 255]], np.uint8), str(folder / 'a.png'))
    imwrite(np.array([[0, 0], [0, 1]], np.uint8), str(folder / 'b.png'))
    return folder


def dataset(masks, **kwargs) -> BaseSegDataset:
    prefix = {'img_path': str(masks), 'seg_map_path': str(masks)}
    metainfo = {'classes': ('sky', 'tree', 'cow')}
    return BaseSegDataset(
        img_suffix='.png', data_prefix=prefix, metainfo=metainfo, pipeline=[], **kwargs
    )


def test_weights_are_those_of_the_formula():
    weights = class_weights(np.array([6, 2, 0]))
    assert weights == pytest.approx([1 / log(1.77), 1 / log(1.27), 1 / log(1.02)])
    assert class_weights(np.array([5])) == pytest.approx([1.42], abs=0.005)  # the least
    assert weights[-1] == pytest.approx(50.5, abs=0.01)  # the most


def test_pixels_are_counted_without_void(masks):
    assert count_pixels(dataset(masks)).tolist() == [6, 1, 0]


def test_a_subset_of_the_classes_is_counted_as_training_sees_it(masks):
    class Forest(BaseSegDataset):
        METAINFO = {'classes': ('sky', 'tree', 'cow')}

    prefix = {'img_path': str(masks), 'seg_map_path': str(masks)}
    subset = Forest(img_suffix='.png', data_prefix=prefix, pipeline=[],
                    metainfo={'classes': ('tree', 'sky')})  # fmt: skip
    assert count_pixels(subset).tolist() == [1, 6]
    assert count_pixels(dataset(masks)).tolist() == [6, 1, 0]  # which has a cache of its own


def test_images_without_labels_are_passed_over(masks):
    metainfo = {'classes': ('sky', 'tree', 'cow')}
    images = BaseSegDataset(
        img_suffix='.png', data_prefix={'img_path': str(masks)}, metainfo=metainfo, pipeline=[]
    )
    both = ConcatDataset([images, dataset(masks)])
    assert len(both) == 4
    assert count_pixels(both).tolist() == [6, 1, 0]


def test_they_are_counted_once(masks, cache, monkeypatch):
    count_pixels(dataset(masks))
    (kept,) = cache.iterdir()
    assert json.loads(kept.read_text()) == [6, 1, 0]
    monkeypatch.setattr(
        LoadCheckedAnnotations, 'transform', lambda *_: pytest.fail('counted again')
    )
    assert count_pixels(dataset(masks)).tolist() == [6, 1, 0]


def test_a_changed_mask_is_counted_again(masks):
    count_pixels(dataset(masks))
    imwrite(np.array([[2, 2, 2], [2, 2, 2]], np.uint8), str(masks / 'b.png'))
    assert count_pixels(dataset(masks)).tolist() == [3, 0, 6]


def test_masks_of_void_alone_are_an_error_and_not_remembered(masks, cache):
    for name in ('a.png', 'b.png'):
        imwrite(np.full((2, 2), 255, np.uint8), str(masks / name))
    with pytest.raises(ValueError, match=r'The 2 training masks, .*a\.png, .* of the 3 classes'):
        count_pixels(dataset(masks))
    assert not cache.exists()


@pytest.mark.slow
@pytest.mark.parametrize('name', ['student/mnv3s_slim_shapes.py', 'kd/response_kd_shapes.py'])
def test_a_run_weighs_the_cross_entropy_of_its_student_and_shows_the_weights(name, tiny):
    config = tiny(name, log_level='INFO')
    plain = config.model.get('student', config.model)
    plain.decode_head.loss_decode.avg_non_ignore = False
    config.custom_hooks.append({'type': 'ClassWeightHook'})
    config.train_cfg.update(max_epochs=1, val_interval=5)
    runner = Runner.from_cfg(config)
    runner.train()
    weights = class_weights(count_pixels(runner.train_dataloader.dataset))
    student = getattr(runner.model, 'student', runner.model)
    assert student.decode_head.loss_decode.class_weight == weights
    (log,) = Path(runner.log_dir).glob('*.log')
    _, shown = log.read_text().split('ClassWeightHook: share')
    assert 'crescent' in shown
    assert all(f'{weight:.2f}' in shown for weight in weights)


def test_with_weights_mmseg_averages_over_the_labelled_pixels():
    """Which the hook relies on: torch's own average, void left out."""
    logits, labels = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    labels[0, :2] = 255
    weights = [1.5, 2.0, 50.0]
    loss = CrossEntropyLoss(class_weight=weights)(logits, labels, ignore_index=255)
    expected = torch.nn.functional.cross_entropy(
        logits, labels, torch.tensor(weights), ignore_index=255
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_all_cross_entropies_get_the_weights(masks):
    model = torch.nn.ModuleList(
        MODELS.build(dict(type=kind))
        for kind in ('CrossEntropyLoss', 'LabelledCrossEntropyLoss', 'PseudoLabelLoss')
    )
    pixels, weights = set_class_weights(model, dataset(masks))
    assert pixels.tolist() == [6, 1, 0] and weights == class_weights(pixels)
    assert model[0].class_weight == model[1].class_weight == model[2].class_weights == weights


def test_a_loss_that_mmseg_cannot_weigh_is_an_error(tiny):
    config = tiny('student/mnv3s_slim_shapes.py')
    config.custom_hooks.append({'type': 'ClassWeightHook'})
    with pytest.raises(ValueError, match=r'decode_head.loss_decode has avg_non_ignore=True'):
        Runner.from_cfg(config).train()


def test_weights_of_a_sigmoid_are_an_error_that_names_the_loss_that_takes_them(masks):
    model = nn.ModuleList([CrossEntropyLoss(use_sigmoid=True)])
    with pytest.raises(ValueError, match=r'use_sigmoid=True.*LabelledCrossEntropyLoss'):
        set_class_weights(model, dataset(masks))


def test_a_model_without_cross_entropy_is_an_error(tiny):
    config = tiny('student/mnv3s_slim_shapes.py')
    config.model.decode_head.loss_decode = {'type': 'LovaszLoss', 'reduction': 'none'}
    config.custom_hooks.append({'type': 'ClassWeightHook'})
    with pytest.raises(ValueError, match='found no CrossEntropyLoss in EncoderDecoder'):
        Runner.from_cfg(config).train()
