import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import Compose
from mmseg.registry import MODELS
from tiny_student import MODEL, tiny_student

from segkd_mm.evaluation.test_time_augmentation import (
    augmented_pipeline,
    check_averaged,
    with_augmentation,
)

LOAD = dict(type='LoadImageFromFile')
MASK = dict(type='LoadAnnotations')
PACK = dict(type='PackSegInputs')


@pytest.fixture
def image(shapes):
    return str(sorted((shapes / 'JPEGImages').glob('val_*.jpg'))[0])


def config_of(*pipeline, **more):
    loader = dict(dataset=dict(pipeline=list(pipeline)))
    return Config(dict(model=MODEL, test_dataloader=loader, **more))


def averaged(student, image):
    """The definition: the mean of six softmaxes at the size of the image, by torch and OpenCV."""
    pixels = cv2.imread(image)
    height, width = pixels.shape[:2]
    total = 0
    for factor in (0.75, 1, 1.25):
        size = int(width * factor + 0.5), int(height * factor + 0.5)
        resized = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
        for flipped in (False, True):
            view = resized[:, ::-1] if flipped else resized
            rgb = (view[..., ::-1] - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
            inputs = torch.tensor(rgb, dtype=torch.float32).permute(2, 0, 1)[None]
            logits = F.interpolate(student(inputs), inputs.shape[2:], mode='bilinear')
            logits = logits.flip(3) if flipped else logits
            total += F.interpolate(logits, (height, width), mode='bilinear').softmax(1)
    return total.argmax(1)[0].numpy()


@torch.no_grad()
def test_six_softmaxes_are_averaged_by_default(image):
    config = with_augmentation(config_of(LOAD, MASK, PACK))
    sample = Compose(augmented_pipeline([LOAD, PACK]))({'img_path': image})
    batch = {key: [[view] for view in views] for key, views in sample.items()}
    model = MODELS.build(config.model).eval()
    model.module.load_state_dict(tiny_student().state_dict())
    (found,) = model.test_step(batch)
    wanted = averaged(tiny_student(), image)
    assert len(np.unique(wanted)) > 1
    assert (found.pred_sem_seg.data.numpy() == wanted).mean() > 0.999
    assert (found.pred_sem_seg.data.numpy() != tiny_student_alone(image)).any()


def tiny_student_alone(image):
    sample = Compose([LOAD, PACK])({'img_path': image})
    batch = {key: [value] for key, value in sample.items()}
    return tiny_student().test_step(batch)[0].pred_sem_seg.data[0].numpy()


def test_masks_keep_their_size_and_a_resize_of_the_config_is_multiplied():
    resize = dict(type='Resize', scale=(200, 100), keep_ratio=True)
    load, augmented = augmented_pipeline([LOAD, MASK, resize, PACK])
    sizes, flips, masks, (pack,) = augmented['transforms']
    assert load == LOAD
    assert sizes == [{**resize, 'scale': scale} for scale in ((150, 75), (200, 100), (250, 125))]
    assert [flip['prob'] for flip in flips] == [0, 1]
    assert (masks, pack) == ([MASK], PACK)
    *_, augmented = augmented_pipeline([LOAD, {**PACK, 'meta_keys': ('ori_shape',)}])
    assert augmented['transforms'][-1][0]['meta_keys'] == ('ori_shape', 'flip', 'flip_direction')


def test_what_the_config_says_comes_first():
    own = [LOAD, dict(type='TestTimeAug', transforms=[[PACK]])]
    config = config_of(LOAD, PACK, tta_pipeline=own, tta_model=dict(type='Own'))
    augmented = with_augmentation(config)
    assert augmented.test_dataloader.dataset.pipeline == own
    assert augmented.model.type == 'Own'
    assert augmented.model.module == config.model


def test_one_logit_is_refused_as_mmseg_would_call_every_pixel_foreground():
    two, one = tiny_student(), tiny_student()
    one.out_channels = 1
    check_averaged(two)
    with pytest.raises(ValueError, match=r'one logit .* Test it without, or train a head of two'):
        check_averaged(one)
