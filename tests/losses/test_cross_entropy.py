"""The student's cross-entropy with class weights, averaged over labelled pixels."""

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from segkd_mm.labels import VOID

WEIGHTS = [0.5, 2.0, 30.0]


def build(**options):
    return MODELS.build(dict(type='LabelledCrossEntropyLoss', **options))


def batch(void=0.3, images=2):
    draw = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(images, 3, 4, 5, generator=draw)
    labels = torch.randint(3, (images, 4, 5), generator=draw)
    return logits, labels.masked_fill(torch.rand(labels.shape, generator=draw) < void, VOID)


def expected(logits, labels, weights=(1, 1, 1)):
    """The mean in float64, pixel by pixel."""
    total = counted = 0.0
    pixels = logits.double().permute(0, 2, 3, 1).reshape(-1, 3).numpy()
    for x, y in zip(pixels, labels.flatten().tolist(), strict=True):
        if y != VOID:
            total += weights[y] * -np.log(np.exp(x[y]) / np.exp(x).sum())
            counted += weights[y]
    return total / counted


@pytest.mark.parametrize('weights', [None, WEIGHTS])
@pytest.mark.parametrize('void', [0.0, 0.3])
def test_the_value_is_the_weighted_mean_over_labelled_pixels(weights, void):
    logits, labels = batch(void)
    value = build(class_weight=weights, loss_weight=0.4)(logits, labels, ignore_index=VOID)
    assert value.item() == pytest.approx(0.4 * expected(logits, labels, weights or (1, 1, 1)), 1e-5)


def test_it_is_mmsegs_where_that_is_a_mean_over_labelled_pixels():
    for void, weights, non_ignore in (
        (0.0, None, False), (0.3, None, True), (0.3, WEIGHTS, False)
    ):  # fmt: skip
        logits, labels = batch(void)
        theirs = MODELS.build(
            dict(type='CrossEntropyLoss', class_weight=weights, avg_non_ignore=non_ignore)
        )(logits, labels, ignore_index=VOID)
        assert torch.equal(build(class_weight=weights)(logits, labels, ignore_index=VOID), theirs)


def test_mmseg_fails_with_both_and_shrinks_with_neither():
    """What the loss is for; when mmseg mends it, the loss can go."""
    logits, labels = batch()
    both = dict(class_weight=WEIGHTS, avg_non_ignore=True)
    with pytest.raises(IndexError):
        MODELS.build(dict(type='CrossEntropyLoss', **both))(logits, labels, ignore_index=VOID)
    neither = MODELS.build(dict(type='CrossEntropyLoss'))(logits, labels, ignore_index=VOID)
    share = (labels != VOID).float().mean()
    assert neither.item() == pytest.approx((share * expected(logits, labels)).item(), rel=1e-5)


@pytest.mark.parametrize('weights', [None, WEIGHTS])
def test_images_without_labels_do_not_change_it(weights):
    logits, labels = batch()
    more = torch.cat([labels, torch.full_like(labels, VOID).repeat(7, 1, 1)])
    loss = build(class_weight=weights)
    one = loss(logits, labels, ignore_index=VOID)
    eight = loss(logits.repeat(8, 1, 1, 1), more, ignore_index=VOID)
    assert eight.item() == pytest.approx(one.item(), rel=1e-6)


@pytest.mark.parametrize('weights', [None, WEIGHTS])
def test_a_batch_of_void_gives_zero_and_a_gradient_of_zero(weights):
    logits = batch()[0].requires_grad_()
    value = build(class_weight=weights)(logits, torch.full((2, 4, 5), VOID), ignore_index=VOID)
    value.backward()
    assert value.item() == 0 and not logits.grad.any()


def test_it_is_finite_for_extreme_logits():
    logits = torch.tensor([1e4, -1e4, 0.0]).view(1, 3, 1, 1).requires_grad_()
    value = build(class_weight=WEIGHTS)(logits, torch.tensor([[[1]]]), ignore_index=VOID)
    value.backward()
    assert value.item() == pytest.approx(2e4) and logits.grad.isfinite().all()


@pytest.mark.parametrize('weights', [None, WEIGHTS])
def test_half_precision_under_autocast_is_computed_in_float32(weights):
    logits, labels = batch()
    loss = build(class_weight=weights)
    with torch.autocast('cpu', torch.bfloat16):
        value = loss(logits.bfloat16(), labels, ignore_index=VOID)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected(logits.bfloat16(), labels, weights or (1, 1, 1)),
                                         rel=1e-5)  # fmt: skip


def test_heads_with_hard_pixel_mining_take_it():
    logits, labels = batch()
    each = build(class_weight=WEIGHTS)(
        logits, labels, weight=None, ignore_index=VOID, reduction_override='none'
    )
    assert each.shape == labels.shape and not each[labels == VOID].any()
