"""The tools on one class against the background with one logit."""

import json
from copy import deepcopy

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from tiny_student import MODEL, tiny_student

from segkd_mm.doctor import Experiment, check_accuracy
from segkd_mm.doctor.accuracy import STUDENT

pytestmark = pytest.mark.slow

HEAD = dict(
    num_classes=2,
    out_channels=1,
    threshold=0.3,
    loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True, avg_non_ignore=True),
)


@pytest.fixture
def config(tiny, tmp_path):
    """A distillation of discs and background, one logit on both sides; other shapes are void."""
    made = tiny('kd/response_kd_shapes.py')
    made.model.student = ConfigDict({**deepcopy(MODEL), 'auxiliary_head': None})
    for model in (made.model.student, made.model.teacher.model):
        model.decode_head.update(HEAD)
    for loader in (made.train_dataloader, made.val_dataloader, made.test_dataloader):
        loader.dataset.metainfo = dict(classes=('background', 'disc'))
    torch.manual_seed(0)
    teacher = MODELS.build(made.model.teacher.model)
    torch.nn.init.constant_(teacher.decode_head.conv_seg.bias, 2.0)
    made.model.teacher.checkpoint = str(tmp_path / 'teacher.pth')
    torch.save(teacher.state_dict(), made.model.teacher.checkpoint)
    made.train_cfg.update(max_epochs=1)
    return made


def test_an_exported_file_tests_as_its_checkpoint_does(config, script, tmp_path):
    file, weights, exported = (tmp_path / name for name in ('config.py', 'one.pth', 'one.pt2'))
    config.dump(file)
    student = tiny_student(decode_head=config.model.student.decode_head, auxiliary_head=None)
    torch.save(student.state_dict(), weights)

    def call(tool, *words):
        done = script(f'tools/{tool}.py', file, *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr

    def miou(model, *words):
        call('test', model, '--out', tmp_path / 'test.json', *words)
        return json.loads((tmp_path / 'test.json').read_text())['metrics']['mIoU']

    call('export', weights, '--to', 'torch-export', '--num-images', 2, '--out', exported)
    assert miou(exported) == pytest.approx(
        miou(weights, '--pictures', tmp_path / 'grids'), abs=0.05
    )
    assert len([*(tmp_path / 'grids').glob('*.png')]) == 4


def test_the_doctor_counts_pixels_as_the_metric_does(config):
    experiment = Experiment(config)
    student = experiment.student
    torch.nn.init.normal_(student.decode_head.conv_seg.weight)
    rows = {row['who']: row for row in check_accuracy(experiment, images=100).rows}
    assert any(who.startswith('teacher') for who in rows)
    assert rows[STUDENT]['mIoU'] == pytest.approx(_miou(experiment), abs=0.2)


def _miou(experiment):
    """Of mmseg's own label maps, which are of floats."""
    student, total = experiment.student.eval(), np.zeros((2, 2))
    for batch in experiment.batches('val', 100):
        with torch.no_grad():
            for sample in student.test_step(batch):
                pair = 2 * sample.gt_sem_seg.data + sample.pred_sem_seg.data.long()
                pair = pair[sample.gt_sem_seg.data < 2]
                total += torch.bincount(pair, minlength=4).view(2, 2).numpy()
    hits = total.diagonal()
    return 100 * (hits / (total.sum(0) + total.sum(1) - hits)).mean()


def test_a_cached_teacher_teaches_one_logit(config, script, tmp_path):
    cache = str(tmp_path / 'cache')
    config.model.teacher = ConfigDict(
        type='CachedTeacher', cache=cache, stride=4, view=dict(flip=True),
        teacher={**config.model.teacher, 'precision': 'fp32'},
    )  # fmt: skip
    config.train_dataloader.dataset = ConfigDict(
        type='WithTeacherCache', cache=cache, dataset=config.train_dataloader.dataset
    )
    config.dump(tmp_path / 'config.py')
    done = script('tools/cache_teacher.py', tmp_path / 'config.py', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    index = json.loads((tmp_path / 'cache' / 'index.json').read_text())
    # Of a flipped view the mean probabilities of one class and of the background.
    stored = index['taps']['decode_head.conv_seg']
    assert stored == {'channels': 2, 'packing': 'float16', 'stride': 4}
    assert np.sum(index['confusion']) > 1000
    experiment = Experiment(config)
    batch = experiment.model.data_preprocessor(next(experiment.batches('train', 1)), True)
    loss = experiment.model.loss(**batch)['terms.logits.loss']
    # Logits of about 2 and 0 at T = 2: T² KL(sigmoid(1) ‖ 1/2) = 4 * 0.1109.
    assert loss.item() == pytest.approx(0.444, rel=0.1)
    loss.backward()
    assert experiment.student.decode_head.conv_seg.weight.grad.any()
