"""One logit of one class against the background: losses, a distiller, label maps and files."""

from copy import deepcopy
from math import log

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from tiny_student import MODEL, tiny_student

from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.image_to_label_map import FastLabelMap, MMSegLabelMap
from segkd_mm.distill.term import Term
from segkd_mm.labels import VOID
from segkd_mm.one_logit import label_logits, two_class_logits

# The teacher gives class 1 a probability of 3/4, the student 1/2:
# KL = 3/4 ln(3/2) + 1/4 ln(1/2).
LOG_3, KL = log(3), 0.75 * log(1.5) + 0.25 * log(0.5)
SIGMOID = dict(type='CrossEntropyLoss', use_sigmoid=True, avg_non_ignore=True)


def pixel(*logits):
    """A map of one pixel, [1, C, 1, 1]."""
    return torch.tensor(logits, dtype=torch.float32).view(1, -1, 1, 1)


def head(key='decode_head', **changes):
    """A head of the tiny student with one logit."""
    return {**MODEL[key], 'num_classes': 2, 'out_channels': 1, 'threshold': 0.3,
            'loss_decode': SIGMOID, **changes}  # fmt: skip


def one_logit(**changes):
    return tiny_student(decode_head=head(**changes), auxiliary_head=None)


def test_a_logit_is_two_whose_softmax_is_the_sigmoid():
    logits = torch.tensor([[[[LOG_3, 0.0]]]])
    pair = two_class_logits(logits)
    assert pair[0, :, 0].tolist() == [[0, 0], [pytest.approx(LOG_3), 0]]
    assert pair.softmax(1)[0, 1, 0].tolist() == pytest.approx([0.75, 0.5])
    assert two_class_logits(pair) is pair


def test_the_threshold_decides_the_label():
    logits = torch.tensor([-1.0, -0.8, 2.0, -0.9]).view(1, 1, 1, 4)  # 0.269 0.310 0.881 0.289
    assert two_class_logits(logits, 0.3).argmax(1).tolist() == [[[0, 1, 1, 0]]]
    assert two_class_logits(logits).argmax(1).tolist() == [[[0, 0, 1, 0]]]


def term(student, teacher, loss='PixelKLLoss', is_logits=True, **options):
    return Term('name', 's', 't', {'type': loss}, (student, {'t': teacher}),
                is_logits=is_logits, **options)  # fmt: skip


@pytest.mark.parametrize(
    ('student', 'teacher'),
    [
        (pixel(0), pixel(LOG_3)),
        (pixel(0), pixel(5, 5 + LOG_3)),
        (pixel(1, 1), pixel(LOG_3)),
    ],
)
def test_one_logit_and_two_classes_teach_each_other(student, teacher):
    assert term(student, teacher)(student, {'t': teacher}, None).item() == pytest.approx(KL)


def test_a_class_map_takes_one_logit():
    student, teacher = pixel(0), pixel(0, 0, log(2))  # the pets have 3/4
    classes = dict(
        student=['background', 'pet'],
        teacher=['background', 'cat', 'dog'],
        mapping={'pet': ['cat', 'dog']},
    )
    mapped = term(student, teacher, classes=classes)
    assert mapped(student, {'t': teacher}, None).item() == pytest.approx(KL)
    classes = dict(student=classes['teacher'], teacher=classes['student'],
                   mapping={'cat': 'pet', 'dog': 'pet'})  # fmt: skip
    student, teacher = pixel(0, -log(2), -log(2)), pixel(LOG_3)
    mapped = term(student, teacher, classes=classes)
    assert mapped(student, {'t': teacher}, None).item() == pytest.approx(KL)


def test_a_mean_of_teachers_with_one_logit_and_with_two():
    student, teachers = pixel(0), {'a': pixel(LOG_3), 'b': pixel(0, -LOG_3)}
    mean = Term('name', 's', {'a': 1, 'b': 3}, {'type': 'PixelKLLoss'}, (student, teachers),
                is_logits=True)  # fmt: skip
    # (0.75 + 3 * 0.25) / 4
    expected = 0.375 * log(0.375 / 0.5) + 0.625 * log(0.625 / 0.5)
    assert mean(student, teachers, None).item() == pytest.approx(expected, rel=1e-5)


LOSSES = ['PixelKLLoss', 'StandardisedKLLoss', 'DKDLoss', 'DISTLoss', 'SoftJaccardLoss',
          'HardJaccardLoss', 'BoundarySplitLoss', 'PseudoLabelLoss']  # fmt: skip


@pytest.mark.parametrize('loss', LOSSES)
def test_a_softmax_over_one_channel_that_is_no_logit_is_an_error(loss):
    with pytest.raises(
        ValueError, match=rf"^Term 'name': {loss} needs logits .* gives 1 channel\."
    ):
        term(pixel(0), pixel(1), loss, is_logits=False)


def test_two_standardised_logits_are_an_error_for_they_are_always_1_and_minus_1():
    with pytest.raises(ValueError, match=r'StandardisedKLLoss .* at least 3 .* gives 2 channels'):
        term(pixel(0), pixel(1), 'StandardisedKLLoss')


@pytest.mark.parametrize('loss', [one for one in LOSSES if one != 'StandardisedKLLoss'])
def test_every_other_loss_over_classes_moves_one_logit(loss):
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 2, 1, 6, 6)
    labels = torch.randint(2, (2, 6, 6))
    student.requires_grad_()
    term(student, teacher, loss)(student, {'t': teacher}, labels).backward()
    assert student.grad.abs().max() > 1e-4


def test_a_loss_of_features_takes_one_channel_as_it_is():
    student, teacher = torch.randn(2, 2, 1, 3, 3)
    value = term(student, teacher, 'FitNetLoss', is_logits=False)(student, {'t': teacher}, None)
    assert value.item() == pytest.approx((student - teacher).square().mean().item())


def distiller(tmp_path, loss):
    """A student with one logit and a teacher like it, with other weights."""
    student = {**deepcopy(MODEL), 'decode_head': head(), 'auxiliary_head': head('auxiliary_head')}
    teacher, file = {**deepcopy(MODEL), 'decode_head': head()}, tmp_path / 'teacher.pth'
    teacher.pop('auxiliary_head')
    torch.save(MODELS.build(teacher).state_dict(), file)
    tap = 'decode_head.conv_seg'
    return MODELS.build(dict(
        type='SegDistiller',
        student=student,
        teacher=dict(type='Teacher', model=teacher, checkpoint=str(file), precision='fp32'),
        terms=dict(logits=dict(student=tap, teacher=tap, loss=dict(type=loss))),
    ))  # fmt: skip


def test_a_distillation_with_one_logit_is_the_binary_kl(tmp_path):
    torch.manual_seed(0)
    model = distiller(tmp_path, 'PixelKLLoss').eval()
    images = torch.randn(2, 3, 64, 64)
    sample = SegDataSample(metainfo={'img_shape': (64, 64)})
    sample.gt_sem_seg = PixelData(data=torch.randint(2, (1, 64, 64)))
    losses = model.loss(images, [sample, sample])
    # Cross-entropy less entropy, of sigmoids.
    student = model.student(images)
    teacher = model.teacher(images)['decode_head.conv_seg'].sigmoid()
    kl = F.binary_cross_entropy_with_logits(student, teacher) - F.binary_cross_entropy(
        teacher, teacher
    )
    assert losses['terms.logits.loss'].item() == pytest.approx(kl.item(), rel=1e-3)
    losses['terms.logits.loss'].backward()
    assert model.student.decode_head.conv_seg.weight.grad.any()


def test_a_loss_without_effect_is_an_error_when_the_distiller_is_built(tmp_path):
    with pytest.raises(ValueError, match=r"Term 'logits': StandardisedKLLoss needs"):
        distiller(tmp_path, 'StandardisedKLLoss')


def test_the_labelled_cross_entropy_of_one_logit_is_the_weighted_binary_one():
    logits = torch.tensor([LOG_3, 0.0, 0.0, 7.0]).view(1, 1, 1, 4)
    labels = torch.tensor([1, 0, 1, VOID]).view(1, 1, 4)
    loss = MODELS.build(dict(type='LabelledCrossEntropyLoss', class_weight=[1.0, 3.0]))
    expected = (3 * -log(0.75) + 1 * log(2) + 3 * log(2)) / 7
    assert loss(logits, labels, ignore_index=VOID).item() == pytest.approx(expected)


@torch.no_grad()
def test_label_maps_are_those_of_mmseg():
    model = one_logit()
    images = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    inputs = FastLabelMap.from_model(model).normalise(images)
    model.decode_head.conv_seg.bias += log(3 / 7) - model(inputs).mean()  # about half are class 1
    result = model.test_step(
        {'inputs': list(images), 'data_samples': [_sample(64, 96), _sample(64, 96)]}
    )
    expected = torch.cat([sample.pred_sem_seg.data for sample in result]).long()
    assert 0.1 < expected.float().mean() < 0.9
    graph = DeployedGraph(model, image_in=True, labels_out=True).eval()
    for found in (FastLabelMap.from_model(model)(images), MMSegLabelMap(model)(images),
                  graph(images)):  # fmt: skip
        assert (found.long() != expected).float().mean() < 1e-3  # ties


def _sample(*size):
    return SegDataSample(metainfo={'ori_shape': size, 'img_shape': size})


@torch.no_grad()
def test_an_exported_model_gives_two_classes():
    model, images = one_logit(), torch.randn(1, 3, 64, 64)
    pair = DeployedGraph(model).eval()(images)
    assert torch.equal(pair[:, :1], torch.zeros(1, 1, 64 // 4, 64 // 4))
    torch.testing.assert_close(pair[:, 1:], model(images) - log(3 / 7))


@pytest.mark.parametrize('threshold', [0.0, 1.0])
def test_a_threshold_that_no_logit_has_is_refused(threshold):
    model = one_logit(threshold=threshold)
    with pytest.raises(ValueError, match=r'one logit without a threshold in \(0, 1\)'):
        DeployedGraph(model)
    with pytest.raises(ValueError, match=rf'one logit, with the threshold {threshold}'):
        label_logits(model, pixel(0))
