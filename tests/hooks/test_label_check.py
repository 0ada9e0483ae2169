"""The labels of each training batch are checked before the model sees them."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from segkd_mm.hooks import LabelCheckHook, LabelError
from segkd_mm.labels import UNLABELLED, VOID

CLASSES = ('sky', 'road', 'car')


class Model(nn.Module):
    num_classes = 3


class Samples(list):
    metainfo = {'classes': CLASSES}


@pytest.fixture
def start():
    """Start the hook for a data set of ``length`` samples in batches of 2; collect warnings."""

    def call(length=4, model=None):
        loader = SimpleNamespace(dataset=Samples(range(length)), batch_size=2)
        warnings = []
        logger = SimpleNamespace(warning=warnings.append)
        runner = SimpleNamespace(train_dataloader=loader, model=model or Model(), logger=logger)
        hook = LabelCheckHook()
        hook.before_train(runner)
        return lambda *masks: hook.before_train_iter(runner, 0, batch(*masks)), warnings

    return call


def batch(*masks):
    samples = []
    for mask in masks:
        sample = SegDataSample(metainfo={'img_path': 'a.jpg', 'seg_map_path': 'a.png'})
        mask = torch.as_tensor(mask)
        sample.gt_sem_seg = PixelData(data=mask[None, None] if mask.ndim == 1 else mask)
        samples.append(sample)
    return {'data_samples': samples}


def test_classes_void_and_unlabelled_pass(start):
    check, warnings = start()
    check([0, 1, 2], [VOID, UNLABELLED, 0])
    check([0, 0, 0], [0, 0, 0])
    assert warnings == []


@pytest.mark.parametrize(
    ('mask', 'match'),
    [
        ([0, 3, 1], r'a.jpg and a.png: found the ids \[0, 1, 3\], expected 0 to 2 or 255'),
        ([0, 1, 256], r'the ids \[0, 1, 256\]'),
        ([0, 1, -1], r'the ids \[-1, 0, 1\]'),
        (torch.tensor([0, 1], dtype=torch.int32), r'labels of torch.int32, expected torch.int64'),
        (torch.tensor([0, 1], dtype=torch.uint8), r'labels of torch.uint8'),
    ],
)
def test_other_labels_are_errors_that_name_the_image(start, mask, match):
    check, _ = start()
    with pytest.raises(LabelError, match=match):
        check([0, 0], mask)


def test_a_class_of_which_no_pixel_was_seen_in_one_pass_is_named_once(start):
    check, warnings = start(length=5)  # three batches
    for _ in range(2):
        check([0, 0], [2, VOID])
    assert warnings == []
    for _ in range(3):
        check([0, 0], [2, VOID])
    assert len(warnings) == 1
    assert warnings[0].startswith('No pixel of road in 3 batches')


@pytest.mark.parametrize('outputs', [2, 4])
def test_a_model_with_more_or_fewer_classes_than_the_data_is_an_error(start, outputs):
    distiller, student = nn.Module(), Model()
    student.num_classes = outputs
    distiller.student = student
    with pytest.raises(LabelError, match=f'num_classes={outputs}, but the data set has 3 classes'):
        start(model=distiller)
