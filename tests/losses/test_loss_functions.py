"""Laws of the loss functions: values by hand or by loops in float64, void, batch and crop size."""

import math
from functools import partial

import loss_formulas as formulas
import pytest
import torch

from segkd_mm.losses import functional

# Classes of two images, which repeat in larger batches and maps; 5 channels, so 0 to 4.
CLASSES = torch.tensor(
    [
        [[1, 0, 1, 1], [0, 2, 2, 3], [3, 3, 2, 3]],
        [[4, 4, 0, 0], [4, 4, 0, 0], [4, 4, 0, 0]],
    ]
)
KEYS = torch.nn.functional.normalize(torch.randn(7, 5, generator=torch.Generator().manual_seed(3)))


def labels_of(valid):
    """Classes where valid, -1 elsewhere."""
    n, h, w = valid.shape
    return torch.where(valid, CLASSES.tile(ceil_div(n, 2), ceil_div(h, 3), ceil_div(w, 4))[:n], -1)


def ceil_div(a, b):
    return -(-a // b)


def labelled(loss):
    """A loss or formula that takes labels as one that takes a mask."""

    def masked(student, teacher, valid=None):
        if valid is None:
            valid = torch.ones_like(student[:, 0], dtype=torch.bool)
        return loss(student, teacher, labels_of(torch.as_tensor(valid)))

    return masked


def labelled_formula(formula):
    return lambda s, t, valid: formula(s, t, labels_of(torch.as_tensor(valid)).numpy())


def each_position(loss):
    """A loss of relations without pooling."""
    return partial(loss, pool=1)


# By name: the function, and its formula in float64.
CASES = {
    'pixel_kl': (functional.pixel_kl, partial(formulas.pixel_kl, temperature=1)),
    'pixel_kl, T 2': (
        partial(functional.pixel_kl, temperature=2.0),
        partial(formulas.pixel_kl, temperature=2),
    ),
    'standardised_kl': (
        functional.standardised_kl,
        partial(formulas.standardised_kl, temperature=2),
    ),
    'channel_wise': (functional.channel_wise, partial(formulas.channel_wise, temperature=4)),
    'channel_wise, T 1': (
        partial(functional.channel_wise, temperature=1.0),
        partial(formulas.channel_wise, temperature=1),
    ),
    'dkd': (labelled(functional.dkd), labelled_formula(formulas.dkd)),
    'dkd, other weights': (
        labelled(partial(functional.dkd, temperature=2.0, alpha=3.0, beta=0.5)),
        labelled_formula(partial(formulas.dkd, temperature=2, alpha=3, beta=0.5)),
    ),
    'dist': (functional.dist, formulas.dist),
    'dist, other weights': (
        partial(functional.dist, temperature=2.0, beta=3.0, gamma=0.5),
        partial(formulas.dist, temperature=2, beta=3, gamma=0.5),
    ),
    'soft_jaccard': (functional.soft_jaccard, formulas.soft_jaccard),
    'boundary_split': (
        labelled(functional.boundary_split),
        labelled_formula(formulas.boundary_split),
    ),
    'cosine_feature': (functional.cosine_feature, formulas.cosine_feature),
    'cosine_smooth_l1': (functional.cosine_smooth_l1, formulas.cosine_smooth_l1),
    'fitnet': (functional.fitnet, formulas.fitnet),
    'pkd': (functional.pkd, formulas.pkd),
    'attention_transfer': (functional.attention_transfer, formulas.attention_transfer),
    'pair_wise': (each_position(functional.pair_wise), formulas.pair_wise),
    'self_similarity': (each_position(functional.self_similarity), formulas.self_similarity),
    'cross_image': (each_position(functional.cross_image), formulas.cross_image),
    'memory_affinity': (
        partial(functional.memory_affinity, keys=KEYS, pool=1),
        partial(formulas.memory_affinity, keys=KEYS.double().numpy()),
    ),
    'channel_relations': (
        each_position(functional.channel_relations),
        formulas.channel_relations,
    ),
    'channel_direction': (
        each_position(functional.channel_direction),
        formulas.channel_direction,
    ),
    'intra_class': (labelled(functional.intra_class), labelled_formula(formulas.intra_class)),
}
# Of copies side by side the labels have other edges.
TILED = {name: case for name, case in CASES.items() if name != 'boundary_split'}
LOSSES = [loss for loss, _ in CASES.values()]
each_case = pytest.mark.parametrize(('loss', 'formula'), CASES.values(), ids=list(CASES))
each_tiled = pytest.mark.parametrize(('loss', 'formula'), TILED.values(), ids=list(TILED))
each_loss = pytest.mark.parametrize('loss', LOSSES, ids=list(CASES))


def random_maps(dtype=torch.float32):
    """Student, teacher, and a mask that leaves out 7 positions of one image and 2 of the other."""
    draw = torch.Generator().manual_seed(0)
    student, teacher = (2 * torch.randn(2, 2, 5, 3, 4, generator=draw)).to(dtype)
    valid = torch.ones(2, 3, 4, dtype=torch.bool)
    valid[0, 1:, :3] = valid[0, 0, 1] = False
    valid[1, 2, 2:] = False
    return student, teacher, valid


def in_float64(formula, student, teacher, valid):
    return formula(student.double().numpy(), teacher.double().numpy(), valid.numpy())


def gradient(loss, student, *args):
    student = student.clone().requires_grad_()
    loss(student, *args).backward()
    return student.grad


@each_case
def test_the_value_is_that_of_the_formula(loss, formula):
    student, teacher, valid = random_maps()
    expected = in_float64(formula, student, teacher, valid)
    assert expected > 0.05
    assert loss(student, teacher, valid).item() == pytest.approx(expected, rel=1e-5, abs=2e-7)


@each_case
def test_without_a_mask_every_position_counts(loss, formula):
    student, teacher, valid = random_maps()
    expected = in_float64(formula, student, teacher, torch.ones_like(valid))
    assert loss(student, teacher).item() == pytest.approx(expected, rel=1e-5, abs=2e-7)


@each_case
def test_the_gradient_is_the_slope_of_the_formula(loss, formula):
    student, teacher, valid = random_maps()
    found = gradient(loss, student, teacher, valid).double()
    # A wrong gradient has another slope in nearly every direction.
    directions = torch.randn(8, *student.shape, generator=torch.Generator().manual_seed(1)).double()
    step = 1e-5
    for direction in directions:
        up, down = (
            in_float64(formula, student.double() + sign * step * direction, teacher, valid)
            for sign in (1, -1)
        )
        slope = (found * direction).sum().item()
        assert slope == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-5)


@each_loss
def test_zero_where_student_equals_teacher(loss):
    student, _, valid = random_maps()
    assert loss(student, student.clone(), valid).item() == pytest.approx(0, abs=1e-6)
    slope = gradient(loss, student, student.clone(), valid)
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-6)


@each_loss
@pytest.mark.parametrize('changed', ['student', 'teacher'])
@pytest.mark.parametrize('value', [3e4, torch.inf], ids=['large', 'infinite'])
def test_void_changes_neither_value_nor_gradient(loss, changed, value):
    student, teacher, valid = random_maps()
    maps = {'student': student.clone(), 'teacher': teacher.clone()}
    maps[changed].permute(0, 2, 3, 1)[~valid] = torch.tensor([value, -value, 0.0, 50.0, value])
    assert torch.equal(loss(**maps, valid=valid), loss(student, teacher, valid))
    found = gradient(loss, maps['student'], maps['teacher'], valid)
    assert torch.equal(found, gradient(loss, student, teacher, valid))


@each_loss
def test_void_pixels_get_no_gradient_and_all_others_do(loss):
    student, teacher, valid = random_maps()
    size = gradient(loss, student, teacher, valid).abs().amax(dim=1)
    assert torch.equal(size > 0, valid)


@each_case
def test_a_doubled_batch_leaves_the_value(loss, formula):
    student, teacher, valid = random_maps()
    expected = in_float64(formula, student, teacher, valid)
    twice = (torch.cat([x, x]) for x in (student, teacher, valid))
    assert loss(*twice).item() == pytest.approx(expected, rel=1e-5, abs=2e-7)


@each_tiled
def test_a_crop_tiled_six_times_leaves_the_value(loss, formula):
    student, teacher, valid = random_maps()
    expected = in_float64(formula, student, teacher, valid)
    tiled = loss(student.tile(1, 1, 2, 3), teacher.tile(1, 1, 2, 3), valid.tile(1, 2, 3))
    assert tiled.item() == pytest.approx(expected, rel=1e-5, abs=2e-7)


@each_case
@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_precision_under_autocast_is_computed_in_float32(loss, formula, dtype):
    student, teacher, valid = random_maps(dtype)
    with torch.autocast('cpu', torch.bfloat16):
        value = loss(student, teacher, valid)
    # The inputs are rounded already; past that half precision would be off by some 1e-3.
    assert value.dtype == torch.float32
    expected = in_float64(formula, student, teacher, valid)
    assert value.item() == pytest.approx(expected, rel=1e-5, abs=2e-7)


def test_in_float32_keeps_autocast_from_the_operations_inside():
    dot = functional.in_float32(lambda student, teacher: (student @ teacher).sum())
    # 1 + 2⁻¹² is 1 in bfloat16, which is what autocast makes of the factors of a product.
    student, teacher = torch.full((1, 1), 1 + 2.0**-12), torch.ones(1, 1)
    with torch.autocast('cpu', torch.bfloat16):
        assert (student @ teacher).item() == 1
        assert dot(student, teacher).item() == 1 + 2.0**-12


@each_loss
def test_no_gradient_reaches_the_teacher(loss):
    student, teacher, valid = (x.requires_grad_(x.is_floating_point()) for x in random_maps())
    loss(student, teacher, valid).backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


@each_loss
def test_extreme_logits_give_a_finite_value_and_gradient(loss):
    draw = torch.Generator().manual_seed(0)
    student, teacher = 1e4 * torch.randint(-1, 2, (2, 2, 5, 3, 4), generator=draw).float()
    valid = random_maps()[2]
    assert loss(student, teacher, valid).isfinite()
    assert gradient(loss, student, teacher, valid).isfinite().all()


@each_loss
def test_an_all_void_crop_gives_zero_and_a_gradient_of_zero(loss):
    student, teacher, valid = random_maps()
    nowhere = torch.zeros_like(valid)
    assert loss(student, teacher, nowhere).item() == 0
    assert torch.equal(gradient(loss, student, teacher, nowhere), torch.zeros_like(student))


@each_case
def test_an_all_void_image_in_a_batch_counts_for_nothing(loss, formula):
    student, teacher, valid = random_maps()
    valid[1] = False
    expected = in_float64(formula, student[:1], teacher[:1], valid[:1])
    assert loss(student, teacher, valid).item() == pytest.approx(expected, rel=1e-5, abs=2e-7)
    slope = gradient(loss, student, teacher, valid)
    assert slope.isfinite().all() and not slope[1].any()


@each_loss
def test_unlike_shapes_are_refused_with_both_named(loss):
    with pytest.raises(ValueError, match=r'\(2, 5, 3, 4\) and \(2, 5, 6, 4\)'):
        loss(torch.zeros(2, 5, 3, 4), torch.zeros(2, 5, 6, 4))


def test_pixel_kl_by_hand():
    # The teacher's distribution is (3/4, 1/4), the student's (1/2, 1/2):
    # 3/4 ln(3/2) + 1/4 ln(1/2) = 0.304099 - 0.173287 = 0.130812.
    student = torch.zeros(1, 2, 1, 1)
    teacher = torch.tensor([math.log(3), 0.0]).view(1, 2, 1, 1)
    assert functional.pixel_kl(student, teacher).item() == pytest.approx(0.130812, abs=1e-6)
    # At T = 2 logits twice as large make the same distributions; T² = 4 is the factor.
    at_2 = functional.pixel_kl(student, 2 * teacher, temperature=2.0)
    assert at_2.item() == pytest.approx(4 * 0.130812, abs=4e-6)


def test_pixel_kl_of_opposite_certainties_by_hand():
    # All of the teacher's mass is on class 0, to which the student gives log-probability -20000.
    student, teacher = torch.tensor([[-1e4, 1e4], [1e4, -1e4]]).view(2, 1, 2, 1, 1)
    assert functional.pixel_kl(student, teacher).item() == 20000


def test_cosine_feature_by_hand():
    # Four positions: (3, 4) with (4, 3), cos 24/25; along; across; against.
    student = torch.tensor([[3.0, 1, 1, 1], [4, 1, 1, 1]]).view(1, 2, 2, 2)
    teacher = torch.tensor([[4.0, 9, 2, -5], [3, 9, -2, -5]]).view(1, 2, 2, 2)
    only = torch.eye(4, dtype=torch.bool).view(4, 1, 2, 2)
    values = [functional.cosine_feature(student, teacher, one).item() for one in only]
    assert values == pytest.approx([0.04, 0, 1, 2], abs=1e-6)
    whole = functional.cosine_feature(student, teacher).item()
    assert whole == pytest.approx((0.04 + 0 + 1 + 2) / 4, abs=1e-6)


def test_fitnet_by_hand():
    # One pixel, two channels: ((1 - 3)² + (2 - 5)²) / 2 = 6.5.
    student, teacher = torch.tensor([[1.0, 2], [3, 5]]).view(2, 1, 2, 1, 1)
    assert functional.fitnet(student, teacher).item() == 6.5


def test_channel_wise_by_hand():
    # Over its two positions channel 0 of the teacher has (3/4, 1/4), of the student (1/2, 1/2),
    # which is 0.130812 as in test_pixel_kl_by_hand; channel 1 agrees. Their mean is half.
    teacher = torch.tensor([[math.log(3), 0.0], [5, 5]]).view(1, 2, 1, 2)
    student = torch.zeros(1, 2, 1, 2)
    at_1 = functional.channel_wise(student, teacher, temperature=1.0).item()
    assert at_1 == pytest.approx(0.130812 / 2, abs=1e-6)
    # The default is T = 4, at which logits four times as large make the same distributions.
    at_4 = functional.channel_wise(student, 4 * teacher).item()
    assert at_4 == pytest.approx(16 * 0.130812 / 2, abs=1e-5)


def test_valid_pixels_wants_half_of_a_cell_labelled():
    void = 255
    labels = torch.tensor(
        [
            [1, 1, void, void],
            [1, 1, void, void],
            [void, 1, void, 0],
            [1, void, void, void],
        ]
    )[None]
    # Labelled of the four in each quarter: 4, 0, 2 (just half), 1.
    expected = torch.tensor([[True, False], [True, False]])[None]
    assert torch.equal(functional.valid_pixels(labels, (2, 2)), expected)


def test_valid_pixels_of_a_size_that_does_not_divide():
    # Three positions to two cells: the cells are columns 0-1 and 1-2.
    labels = torch.tensor([[[0, 255, 255]]])
    assert functional.valid_pixels(labels, (1, 2)).tolist() == [[[True, False]]]


def test_valid_pixels_at_the_size_of_the_labels_and_above():
    labels = torch.tensor([[[7, 255]]])
    assert functional.valid_pixels(labels, (1, 2)).tolist() == [[[True, False]]]
    assert functional.valid_pixels(labels, (2, 4)).tolist() == [2 * [[True, True, False, False]]]


def test_valid_pixels_takes_its_void_from_the_argument():
    labels = torch.tensor([[[11, 255]]])
    assert functional.valid_pixels(labels, (1, 2), ignore_index=11).tolist() == [[[False, True]]]
