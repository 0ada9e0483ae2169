"""The labels of each training batch are checked before the model sees them."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from tiny_student import MODEL, tiny_student
from torch import nn

from segkd_mm.hooks import LabelCheckHook, LabelError, check_outputs
from segkd_mm.labels import UNLABELLED, VOID

CLASSES = ('sky', 'road', 'car')


class Model(nn.Module):
    num_classes = 3


class Samples(list):
    metainfo = {'classes': CLASSES}


@pytest.fixture
def start():
    """Start the hook for a data set of ``length`` samples in batches of 2; collect warnings."""

    def call(length=4, model=None, metainfo=Samples.metainfo):
        dataset = Samples(range(length))
        dataset.metainfo = metainfo
        loader = SimpleNamespace(dataset=dataset, batch_size=2)
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


def distiller(student):
    model = nn.Module()
    model.student = student
    return model


def test_classes_void_and_unlabelled_pass(start):
    check, warnings = start(model=distiller(Model()))
    check([0, 1, 2], [VOID, UNLABELLED, 0])
    check([0, 0, 0], [0, 0, 0])
    check([0, 0, 0], [UNLABELLED, VOID, 0])
    assert warnings == []


def test_images_without_labels_are_an_error_without_a_teacher(start):
    check, _ = start()
    with pytest.raises(LabelError, match=r'a.png: found an image without labels, .*no teacher'):
        check([0, 1, 2], [UNLABELLED, UNLABELLED, VOID])


def test_a_data_set_without_a_list_of_classes_is_checked_by_the_models_number(start):
    check, warnings = start(metainfo={})
    check([0, 1, VOID], [0, 1, 1])
    check([0, 1, VOID], [0, 1, 1])
    assert warnings[0].startswith('No pixel of class 2 in 2 batches')
    with pytest.raises(LabelError, match=r'the ids \[3\], expected 0 to 2'):
        check([3, 3], [0, 1])
    check, warnings = start(metainfo={}, model=nn.Module())  # neither says how many
    check([0, 100, 253], [VOID, 1, 1])
    with pytest.raises(LabelError, match=r'the ids \[0, 256\], expected 0 to 253'):
        check([0, 1], [256, 0])
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
@pytest.mark.parametrize('passed', [False, True])  # after one pass the check is a shorter one
def test_other_labels_are_errors_that_name_the_image(start, mask, match, passed):
    check, _ = start()
    for _ in range(2 * passed):
        check([0, 1], [2, VOID])
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
    student = Model()
    student.num_classes = outputs
    with pytest.raises(LabelError, match=f'num_classes={outputs}, but the data set has 3 classes'):
        start(model=distiller(student))


def test_one_logit_of_a_cascade_is_refused_as_mmseg_makes_no_labels_of_it(start):
    student = Model()
    student.num_classes, student.out_channels = 2, 1
    student.decode_head = nn.ModuleList([nn.Identity(), nn.Identity()])
    with pytest.raises(LabelError, match='of a single decode_head'):
        start(model=student, metainfo={'classes': ('a', 'b')})
    student.decode_head = nn.Identity()
    student.decode_head.threshold = 0.3
    start(model=student, metainfo={'classes': ('a', 'b')})


def test_weights_of_an_auxiliary_head_are_for_its_own_classes():
    head = {**MODEL['auxiliary_head'], 'num_classes': 2}
    head['loss_decode'] = dict(type='CrossEntropyLoss', class_weight=[1.0, 2.0])
    check_outputs(tiny_student(auxiliary_head=head), None)
    head['num_classes'] = 3
    with pytest.raises(LabelError, match=r'auxiliary_head\.loss_decode: found 2 .* expected 3'):
        check_outputs(tiny_student(auxiliary_head=head), None)
