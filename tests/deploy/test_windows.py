import re

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.runner import Runner
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from segkd_mm.config import load_config
from segkd_mm.deploy.predictor import Predictor
from segkd_mm.deploy.windows import axis_windows, in_windows

PIPELINE = dict(type='LoadImageFromFile'), dict(type='PackSegInputs')


@pytest.fixture
def student():
    """A net without image pooling, which sees about 20 pixels to each side; of stride 4."""
    torch.manual_seed(0)
    stage = dict(num_stages=1, out_indices=(0,), strides=(1,), dilations=(1,))
    backbone = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8, **stage)
    head = dict(type='FCNHead', in_channels=8, channels=8, num_convs=1, num_classes=5)
    model = ConfigDict(
        type='EncoderDecoder',
        data_preprocessor=dict(type='SegDataPreProcessor', mean=[99.0] * 3, std=[50.0] * 3),
        backbone={**backbone, 'norm_cfg': dict(type='BN')},
        decode_head={**head, 'loss_decode': dict(type='CrossEntropyLoss')},
        test_cfg=dict(mode='whole'),
    )
    return MODELS.build(model).eval()


@pytest.fixture
def predictor(student):
    return Predictor(student, PIPELINE, 'abcde', [(n, n, n) for n in range(5)])


def noise(height, width):
    coarse = torch.rand(1, 3, height // 8 + 1, width // 8 + 1, generator=torch.manual_seed(1)) * 255
    image = torch.nn.functional.interpolate(coarse, (height, width), mode='bilinear')
    return image[0].permute(1, 2, 0).byte().numpy()


def test_parts_that_are_kept_meet_in_the_middle_of_what_two_windows_see():
    # Steps of 96 - 32 = 64; the last window starts at 32 x ceil((230 - 96) / 32) = 160.
    seen, kept = zip(*axis_windows(230, 96, 32), strict=True)
    assert [(one.start, one.stop) for one in seen] == [(0, 96), (64, 160), (128, 224), (160, 230)]
    assert [(one.start, one.stop) for one in kept] == [(0, 80), (80, 144), (144, 192), (192, 230)]
    assert axis_windows(50, 96, 32) == [(slice(0, 50), slice(0, 50))]
    assert axis_windows(96, 96, 32) == [(slice(0, 96), slice(0, 96))]


@pytest.mark.parametrize('fast', [True, False])
def test_labels_are_those_of_the_whole_image_where_the_overlap_is_wide_enough(
    predictor, student, fast
):
    image = noise(256, 352)
    whole = predictor.predict(image)
    assert len(np.unique(whole)) > 2
    if not fast:
        student.test_cfg.mode = 'slide'  # then mmseg predicts each window, with logits
        student.test_cfg.update(crop_size=(128, 128), stride=(96, 96))
    with in_windows(student, 128, 64):
        windows = predictor.predict(image)
    assert windows.dtype == whole.dtype == np.uint8
    assert (windows != whole).mean() <= 1e-4  # two classes may tie within rounding
    with in_windows(student, 128, 0):
        abrupt = predictor.predict(image)
    assert (abrupt != whole)[:100, :100].sum() <= 1
    assert (abrupt != whole).any()
    assert not hasattr(vars(student), 'test_step')


def test_no_window_is_larger_and_each_is_counted(predictor, student):
    shapes, counted = [], []
    see = student.backbone.register_forward_pre_hook
    hook = see(lambda _, inputs: shapes.append(inputs[0].shape[2:]))

    def track(windows):
        counted.append(len(windows))
        return windows

    # By default they overlap by a quarter, 24, rounded up to 32. Steps of 64: 0 and 32, and 0, 64
    # and 128 (to 200, which are 72 pixels).
    with in_windows(student, 96, track=track):
        assert predictor.predict(noise(100, 200)).shape == (100, 200)
    hook.remove()
    assert counted == [2 * 3]
    assert [*map(tuple, shapes)] == [(h, w) for h in (96, 68) for w in (96, 96, 72)]


@pytest.mark.parametrize(('side', 'overlap'), [(100, 32), (96, 20), (96, 96), (96, -32), (0, 0)])
def test_windows_that_do_not_fit_a_grid_are_refused(student, side, overlap):
    with (
        pytest.raises(ValueError, match=f'{side} pixels that overlap by {overlap}: expected mult'),
        in_windows(student, side, overlap),
    ):
        pass


def test_images_that_the_pipeline_resizes_are_refused(student):
    sample = SegDataSample(metainfo=dict(ori_shape=(80, 60), img_path='a.tif'))
    data = {'inputs': [torch.zeros(3, 40, 30, dtype=torch.uint8)], 'data_samples': [sample]}
    message = re.escape('a.tif has 60 x 80 pixels, but its test pipeline gives 30 x 40')
    with in_windows(student, 64), pytest.raises(ValueError, match=message):
        student.test_step(data)


def test_a_student_with_image_pooling_is_predicted_too():
    model = MODELS.build(load_config('student/mnv3s_slim_shapes.py').model).eval()
    predictor = Predictor(model, PIPELINE, range(8), [(n, n, n) for n in range(8)])
    with in_windows(model, 96, 32):
        assert predictor.predict(noise(130, 110)).shape == (130, 110)


def test_validation_of_a_distilled_student_in_windows_and_whole_again(tiny):
    config = tiny('kd/response_kd_shapes.py')
    config.val_cfg = dict(type='WindowValLoop', window=96, overlap=32)
    config.default_hooks.checkpoint = None  # it wants a training
    runner, sizes = Runner.from_cfg(config), []
    backbone = runner.model.student.backbone
    backbone.register_forward_pre_hook(lambda _, inputs: sizes.append(tuple(inputs[0].shape)))
    assert 0 <= runner.val()['mIoU'] <= 100
    assert sizes == [(1, 3, 96, 96)] * 4 * 4  # images of 160 x 160
    sizes.clear()
    runner.model.val_step(next(iter(runner.val_dataloader)))
    assert sizes == [(1, 3, 160, 160)]
