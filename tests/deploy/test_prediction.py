import json
from contextlib import nullcontext
from math import log
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import ConfigDict
from mmseg.models.decode_heads import FCNHead
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from run_command import run_command
from torch import nn

from segkd_mm.cli import test as test_tool
from segkd_mm.config import load_config
from segkd_mm.deploy import ValidationLabelsHook, without_logits

CONFIG = 'student/mnv3s_slim_shapes.py'
NORM = dict(type='BN')
FCN = dict(type='FCNHead', in_channels=64, channels=8, num_convs=1, num_classes=5, norm_cfg=NORM)
ONE_LOGIT = {**FCN, 'num_classes': 2, 'out_channels': 1, 'threshold': 0.3}
OCR = dict(type='OCRHead', in_channels=64, channels=8, ocr_channels=4, num_classes=5, norm_cfg=NORM)


def build(config):
    """A model with random weights that tells classes apart."""
    torch.manual_seed(1)
    model = MODELS.build(config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith('conv_seg.weight'):
            parameter.data.mul_(20)
    return model


def encoder_decoder(**changes):
    backbone = dict(type='ResNet', depth=18, base_channels=8, norm_cfg=NORM)
    usual = dict(type='EncoderDecoder', backbone=backbone, decode_head=FCN)
    return build({**usual, 'test_cfg': ConfigDict(mode='whole'), **preprocessor(), **changes})


def preprocessor(**changes):
    usual = dict(type='SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3)
    return {'data_preprocessor': {**usual, **changes}}


def predict(model, size=(90, 150), number=1, **meta):
    """Predictions for noise images, as mmengine's test loop calls the model."""
    torch.manual_seed(2)
    images = [torch.randint(0, 255, (3, *size), dtype=torch.uint8) for _ in range(number)]
    metas = {'ori_shape': size, 'img_shape': size, **meta}
    samples = [SegDataSample(metainfo=metas) for _ in images]
    with torch.inference_mode():
        return model.test_step({'inputs': images, 'data_samples': samples})


def assert_same(model, **case):
    """With labels only and without: the same labels, and logits only without."""
    usual = predict(model, **case)
    with without_logits(model):
        fast = predict(model, **case)
    for wanted, found in zip(usual, fast, strict=True):
        assert 'seg_logits' in wanted
        assert 'seg_logits' not in found
        assert len(wanted.pred_sem_seg.data.unique()) > 1
        # mmseg's label map of one logit is of float32.
        assert found.pred_sem_seg.data.equal(wanted.pred_sem_seg.data.long())


def assert_as_ever(model, **case):
    """Labels only cannot be had: the prediction is the library's, logits and all."""
    usual = predict(model, **case)
    with without_logits(model):
        other = predict(model, **case)
    assert other[0].seg_logits.data.equal(usual[0].seg_logits.data)
    assert other[0].pred_sem_seg.data.equal(usual[0].pred_sem_seg.data)


def test_labels_are_those_of_the_library():
    assert_same(build({**load_config(CONFIG).model}), number=2)


def test_afterwards_the_logits_are_back():
    model = encoder_decoder()
    with pytest.raises(KeyError), without_logits(model):
        raise KeyError
    assert 'seg_logits' in predict(model)[0]


def test_validations_have_no_logits_of_a_student_or_of_a_distilled_one():
    model, hook = encoder_decoder(), ValidationLabelsHook()
    for runner in (SimpleNamespace(model=model), SimpleNamespace(model=Distiller(model))):
        hook.before_val(runner)
        hook.before_val(runner)  # again, as after a validation that failed
        assert 'seg_logits' not in predict(runner.model)[0]
        hook.after_val(runner)
        assert 'seg_logits' in predict(runner.model)[0]


class Distiller(nn.Module):
    def __init__(self, student):
        super().__init__()
        self.student, self.test_step = student, student.test_step


@pytest.mark.parametrize('align_corners', [False, True])
def test_padding_is_cut_off(align_corners):
    model = encoder_decoder(
        decode_head={**FCN, 'align_corners': align_corners},
        **preprocessor(test_cfg=dict(size_divisor=32)),
    )
    assert_same(model)
    with without_logits(model):
        assert predict(model)[0].pred_sem_seg.shape == (90, 150)


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('ori_shape', [(180, 300), (45, 70)])
def test_an_image_that_was_resized_has_labels_at_its_own_size(ori_shape, align_corners):
    model = encoder_decoder(
        decode_head={**FCN, 'align_corners': align_corners},
        **preprocessor(test_cfg=dict(size_divisor=32)),
    )
    assert_same(model, number=2, ori_shape=ori_shape)


def test_heads_in_a_cascade():
    heads = [FCN, OCR]
    assert_same(encoder_decoder(type='CascadeEncoderDecoder', num_stages=2, decode_head=heads))


def test_one_logit_is_compared_with_its_threshold():
    model = encoder_decoder(decode_head=ONE_LOGIT)
    nn.init.constant_(model.decode_head.conv_seg.bias, log(3 / 7) - predict_mean(model))
    assert_same(model, number=2)


def predict_mean(model):
    """The mean logit, around which a threshold divides the pixels."""
    return model(torch.randn(2, 3, 90, 150)).mean().item()


class Trunk(nn.Conv2d):
    """Features that differ from place to place, unlike those of deep random nets."""

    def forward(self, inputs):
        return {'out': super().forward(inputs)}


def test_models_of_torchvision():
    model = build(dict(type='TorchvisionSegmentor', arch='deeplabv3_mobilenet_v3_large'))
    model.backbone, model.classifier = Trunk(3, 8, 16, 16), nn.Conv2d(8, 21, 1)
    assert_same(model)


@pytest.mark.parametrize(
    'meta',
    [
        dict(flip=True, flip_direction='horizontal'),
        dict(pad_shape=(45, 75)),
    ],
)
def test_an_image_that_was_flipped_or_cut_for_the_model_is_predicted_as_ever(meta):
    assert_as_ever(encoder_decoder(), **meta)


class OwnWay(FCNHead):
    def predict_by_feat(self, seg_logits, batch_img_metas):
        return super().predict_by_feat(-seg_logits, batch_img_metas)


@pytest.mark.parametrize(
    'changes',
    [
        dict(test_cfg=ConfigDict(mode='slide', crop_size=(64, 64), stride=(32, 32))),
        dict(decode_head={**ONE_LOGIT, 'threshold': 1.0}),
        dict(decode_head={**FCN, 'type': OwnWay}),
    ],
)
def test_a_model_that_does_more_than_upsample_predicts_as_ever(changes):
    assert_as_ever(encoder_decoder(**changes))


@pytest.mark.slow
def test_the_test_tool_gives_the_same_result(shapes, tmp_path, monkeypatch):
    model = build(load_config(CONFIG).model)
    torch.save(model.state_dict(), tmp_path / 'model.pth')
    options = [f'data_root={shapes}']
    for key in ('num_train=16', 'num_val=4'):
        options += [f'{name}_dataloader.dataset.{key}' for name in ('train', 'val', 'test')]
    options += ['test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False']

    def result(name):
        out = tmp_path / f'{name}.json'
        words = [CONFIG, tmp_path / 'model.pth', '--out', out, '--cfg-options', *options]
        run_command('test', *words)
        return {k: v for k, v in json.loads(out.read_text()).items() if k not in CHANGING}

    CHANGING = 'command', 'date', 'environment'
    fast = result('fast')
    monkeypatch.setattr(test_tool, 'without_logits', nullcontext)
    assert fast == result('usual')
    assert sum(value > 0 for value in fast['per_class'].values() if value) > 1
