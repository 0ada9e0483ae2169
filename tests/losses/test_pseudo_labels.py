"""Law 4 for cross-entropy on a teacher's classes, which is no divergence."""

import math

import pytest
import torch
from mmseg.registry import MODELS

from segkd_mm.labels import UNLABELLED, VOID
from segkd_mm.losses import functional


def row(*pixels):
    """Logits of one row of pixels from their probabilities: [1, C, 1, W]."""
    return torch.tensor(pixels).log().T[None, :, None].contiguous()


# The teacher's classes are 0, 1 and 2, at probabilities of 0.5, 0.8 and 0.9.
TEACHER = row((0.5, 0.25, 0.25), (0.1, 0.8, 0.1), (0.05, 0.05, 0.9))
# At those the student gives 1/2, 1/4 and 1/8: cross-entropies of 1, 2 and 3 times ln 2.
STUDENT = row((0.5, 0.25, 0.25), (0.5, 0.25, 0.25), (0.5, 0.375, 0.125))


def pseudo_label(valid=None, student=STUDENT, **kwargs):
    return functional.pseudo_label(student, TEACHER, valid, **kwargs)


def in_ln2(value):
    return pytest.approx(value * math.log(2), rel=1e-5)


def test_the_mean_of_the_cross_entropies_by_hand():
    assert pseudo_label().item() == in_ln2((1 + 2 + 3) / 3)


def test_void_pixels_do_not_count():
    assert pseudo_label(torch.tensor([[[True, False, True]]])).item() == in_ln2((1 + 3) / 2)


@pytest.mark.parametrize(('threshold', 'mean'), [(0.4, 2), (0.7, 2.5), (0.85, 3), (0.95, 0)])
def test_pixels_below_the_threshold_do_not_count(threshold, mean):
    assert pseudo_label(threshold=threshold).item() == in_ln2(mean)


def test_the_mean_is_weighted_by_class():
    value = pseudo_label(class_weights=[1.0, 4.0, 0.5])
    assert value.item() == in_ln2((1 * 1 + 4 * 2 + 0.5 * 3) / 5.5)


def test_the_weighted_mean_is_that_of_mmsegs_cross_entropy():
    draw = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 2, 3, 4, 5, generator=draw)
    valid = torch.rand(2, 4, 5, generator=draw) > 0.3
    labels = torch.where(valid, teacher.argmax(1), VOID)
    weights = [0.5, 2.0, 3.0]
    # With class weights void is left out of its mean anyhow, and avg_non_ignore raises IndexError.
    theirs = MODELS.build(dict(type='mmseg.CrossEntropyLoss', class_weight=weights))
    ours = functional.pseudo_label(student, teacher, valid, class_weights=weights).item()
    assert ours == pytest.approx(theirs(student, labels, ignore_index=VOID).item(), rel=1e-5)


def test_classes_without_weight_alone_give_zero():
    assert pseudo_label(class_weights=[0.0, 0.0, 0.0]).item() == 0


def test_nothing_that_counts_gives_zero_and_a_gradient_of_zero():
    student = STUDENT.clone().requires_grad_()
    value = pseudo_label(torch.zeros(1, 1, 3, dtype=torch.bool), student)
    value.backward()
    assert value.item() == 0 and not student.grad.any()


def test_a_doubled_batch_leaves_the_value():
    twice = functional.pseudo_label(torch.cat([STUDENT] * 2), torch.cat([TEACHER] * 2), None, 0.7)
    assert twice.item() == in_ln2(2.5)


def test_no_gradient_reaches_the_teacher():
    student, teacher = STUDENT.clone().requires_grad_(), TEACHER.clone().requires_grad_()
    functional.pseudo_label(student, teacher).backward()
    assert teacher.grad is None and student.grad.any()


def test_extreme_logits_give_a_finite_value_and_gradient():
    student = torch.tensor([1e4, -1e4, 0.0]).view(1, 3, 1, 1).requires_grad_()
    value = functional.pseudo_label(student, -student.detach())
    value.backward()
    assert value.item() == pytest.approx(2e4) and student.grad.isfinite().all()


def test_half_precision_under_autocast_is_computed_in_float32():
    student, teacher = STUDENT.bfloat16(), TEACHER.bfloat16()
    with torch.autocast('cpu', torch.bfloat16):
        value = functional.pseudo_label(student, teacher)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(
        functional.pseudo_label(student.float(), teacher.float()).item(), rel=1e-6
    )


def test_the_module_has_the_weight_and_counts_unlabelled_images_but_no_void():
    loss = MODELS.build(dict(type='PseudoLabelLoss', loss_weight=0.5, threshold=0.7))
    labels = torch.tensor([[[UNLABELLED, UNLABELLED, VOID]]])
    assert loss(STUDENT, TEACHER, labels).item() == in_ln2(0.5 * 2)
    assert loss(STUDENT, TEACHER).item() == in_ln2(0.5 * 2.5)


def test_the_module_passes_class_weights_on():
    loss = MODELS.build(dict(type='PseudoLabelLoss', class_weights=[1.0, 4.0, 0.5]))
    assert loss(STUDENT, TEACHER).item() == in_ln2(10.5 / 5.5)


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(threshold=1.0), r'threshold is 1.0, must be in \[0, 1\)'),
        (dict(class_weights=[1.0, -1.0, 1.0]), r'class_weights are \[1.0, -1.0, 1.0\], one below'),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='PseudoLabelLoss', **wrong))


def test_class_weights_of_another_number_are_refused():
    loss = MODELS.build(dict(type='PseudoLabelLoss', class_weights=[1.0, 2.0]))
    with pytest.raises(ValueError, match='2 class_weights for logits of 3 classes'):
        loss(STUDENT, TEACHER)


def test_soft_labels_by_an_independent_formula():
    draw = torch.Generator().manual_seed(0)
    student, teacher = 2 * torch.randn(2, 2, 3, 4, 5, generator=draw, dtype=torch.float64)
    p, log_s = teacher.softmax(1), student - student.exp().sum(1, keepdim=True).log()
    weights, counts = torch.tensor([0.5, 2.0, 3.0]).view(3, 1, 1), p.amax(1) >= 0.6
    total = sum((weights * p[n] * -log_s[n]).sum(0)[counts[n]].sum() for n in range(2))
    factor = sum((weights * p[n]).sum(0)[counts[n]].sum() for n in range(2))
    value = functional.pseudo_label(student, teacher, None, 0.6, [0.5, 2.0, 3.0], soft=True)
    assert 0 < counts.sum() < counts.numel()
    assert value.item() == pytest.approx((total / factor).item(), rel=1e-5)


def test_soft_labels_of_a_certain_teacher_are_hard_ones():
    certain = torch.where(TEACHER.amax(1, keepdim=True) == TEACHER, 100.0, -100.0)
    hard, soft = (
        functional.pseudo_label(STUDENT, certain, None, 0.5, [1.0, 4.0, 0.5], soft)
        for soft in (False, True)
    )
    assert soft.item() == pytest.approx(hard.item(), rel=1e-6)


def test_soft_labels_have_the_gradient_of_the_divergence_and_its_value_plus_the_entropy():
    gradients, values = [], []
    for loss in (dict(type='PseudoLabelLoss', soft=True), dict(type='PixelKLLoss')):
        student = STUDENT.clone().requires_grad_()
        value = MODELS.build(loss)(student, TEACHER, torch.tensor([[[0, UNLABELLED, VOID]]]))
        value.backward()
        gradients.append(student.grad)
        values.append(value.item())
    assert torch.allclose(*gradients, atol=1e-7)
    p = TEACHER.softmax(1)[..., :2]
    assert values[0] - values[1] == pytest.approx(-(p * p.log()).sum(1).mean().item(), rel=1e-5)
