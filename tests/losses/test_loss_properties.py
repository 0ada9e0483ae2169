"""Properties of each loss that its paper claims, and values worked out by hand."""

import math
from functools import partial

import loss_formulas as formulas
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from segkd_mm.losses import functional

RELATIONS = [functional.pair_wise, functional.self_similarity, functional.cross_image]
each_relation = pytest.mark.parametrize('loss', RELATIONS, ids=lambda f: f.__name__)


def maps(channels=5, size=(4, 6), seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(2, 2, channels, *size, generator=draw)


def pixel(*values):
    return torch.tensor(values).view(1, -1, 1, 1)


def row(*pixels):
    """A map of one row: [1, C, 1, W]."""
    return torch.tensor(pixels).T[None, :, None].float()


def rotation(channels):
    draw = torch.Generator().manual_seed(5)
    return torch.linalg.qr(torch.randn(channels, channels, generator=draw))[0]


# Logits.


def test_standardised_kl_sees_no_scale_and_no_shift_of_a_pixel():
    student, teacher = maps()
    scale, shift = torch.rand(2, 2, 1, 4, 6) + 0.5
    plain = functional.standardised_kl(student, teacher).item()
    moved = functional.standardised_kl(scale * student + shift, 3 * teacher - 7).item()
    assert moved == pytest.approx(plain, rel=1e-5)
    assert functional.standardised_kl(2 * teacher + 1, teacher).item() == pytest.approx(0, abs=1e-6)


def test_standardised_kl_by_hand():
    # The z-scores of (1, 3) and (5, 4) are (-1, 1) and (1, -1); at T = 2 the distributions are
    # (1, e) and (e, 1) over 1 + e, whose KL is (e - 1) / (e + 1).
    value = functional.standardised_kl(pixel(5.0, 4.0), pixel(1.0, 3.0)).item()
    assert value == pytest.approx(4 * (math.e - 1) / (math.e + 1), rel=1e-6)


def test_standardised_kl_of_a_flat_pixel_has_a_finite_gradient():
    student = torch.zeros(1, 3, 1, 1, requires_grad=True)
    functional.standardised_kl(student, pixel(1.0, 2.0, 3.0)).backward()
    assert student.grad.isfinite().all()


def test_dkd_with_the_teachers_own_weights_is_plain_kl():
    # KL = KL of the label's class + (1 - p) · KL of the others, p the teacher's of the label.
    student, teacher = pixel(0.5, -1.0, 2.0), pixel(1.0, 0.0, -1.0)
    labels = torch.tensor([[[0]]])
    others = 1 - teacher.softmax(1)[0, 0].item()
    split = functional.dkd(student, teacher, labels, temperature=1.0, beta=others).item()
    assert split == pytest.approx(functional.pixel_kl(student, teacher).item(), rel=1e-5)


def test_dkd_by_hand():
    # Teacher (1/2, 3/8, 1/8), student uniform, label 0. Label against the rest: 1/2, 1/2 to 1/3,
    # 2/3: ln(3/2) / 2 + ln(3/4) / 2. The rest: 3/4, 1/4 to 1/2, 1/2: 0.130812.
    teacher = pixel(4.0, 3.0, 1.0).log()
    value = functional.dkd(torch.zeros(1, 3, 1, 1), teacher, torch.zeros(1, 1, 1).long(), 1.0)
    target = (math.log(3 / 2) + math.log(3 / 4)) / 2
    assert value.item() == pytest.approx(target + 8 * 0.130812, abs=1e-5)


def mixed_with(teacher, share):
    """Logits of the teacher's probabilities scaled by ``1 - share`` and shifted alike."""
    classes = teacher.shape[1]
    return ((1 - share) * teacher.softmax(1) + share / classes).log()


def test_dist_sees_no_affine_map_of_a_pixels_probabilities():
    _, teacher = maps()
    share = torch.rand(2, 1, 4, 6) * 0.8  # of each pixel its own
    value = functional.dist(mixed_with(teacher, share), teacher, gamma=0.0).item()
    assert value == pytest.approx(0, abs=1e-5)
    assert functional.dist(mixed_with(teacher, share), teacher, beta=0.0).item() > 0.01


def test_dist_sees_no_affine_map_of_a_classs_probabilities():
    _, teacher = maps()
    shift = torch.tensor([0.1, 0.0, 0.2, 0.05, 0.15]).view(1, 5, 1, 1)  # of each class its own
    student = (teacher.softmax(1) / 2 + shift).log()
    assert functional.dist(student, teacher, beta=0.0).item() == pytest.approx(0, abs=1e-5)
    assert functional.dist(student, teacher, gamma=0.0).item() > 0.01


def test_dist_of_opposites_by_hand():
    # Two classes, two pixels, each the other way round: every correlation is -1.
    student, teacher = row([1, 0], [0, 1]), row([0, 1], [1, 0])
    assert functional.dist(student, teacher).item() == pytest.approx(4, rel=1e-5)
    assert functional.dist(student, teacher, beta=0.5, gamma=2.0).item() == pytest.approx(5)


def one_minus_correlation(a, b):
    """Over the last dimension, mean over the others, without a floor."""
    a, b = (x - x.mean(-1, keepdim=True) for x in (a, b))
    return 1 - ((a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))).mean()


def test_dist_of_nearly_absent_classes_is_that_of_the_formula():
    # Classes 3 and 4 have a probability of some e^-13 at all pixels.
    draw = torch.Generator().manual_seed(0)
    winner = torch.randint(0, 3, (2, 1, 8, 8), generator=draw)
    sure = torch.zeros(2, 5, 8, 8).scatter(1, winner, 13.0)
    student, teacher = sure + torch.randn(2, 2, 5, 8, 8, generator=draw)
    student.requires_grad_()
    p, q = (x.double().softmax(1).movedim(1, -1).flatten(0, 2) for x in (student, teacher))
    expected = one_minus_correlation(p, q) + one_minus_correlation(p.T, q.T)
    value = functional.dist(student, teacher)
    assert value.item() == pytest.approx(expected.item(), rel=1e-3)
    slopes = [torch.autograd.grad(x, student)[0].flatten() for x in (value, expected)]
    assert F.cosine_similarity(*slopes, dim=0) > 0.999


def test_dist_counts_a_class_that_is_nowhere_in_both_as_equal():
    # Classes 0 and 1 are opposite, each 1 - r = 2; class 2 has e^-200, which is 0 in float32.
    student, teacher = row((5, 1, -200), (1, 5, -200)), row((1, 5, -200), (5, 1, -200))
    value = functional.dist(student, teacher, beta=0.0).item()
    assert value == pytest.approx((2 + 2 + 0) / 3, rel=1e-5)


def test_soft_jaccard_of_certain_maps_is_one_minus_the_iou():
    # Classes of four pixels: student 0 0 1 1, teacher 0 1 1 1: IoU 1/2 and 2/3; class 2 is nowhere.
    certain = 100 * torch.eye(3)
    student, teacher = (row(*certain[ids].tolist()) for ids in ([0, 0, 1, 1], [0, 1, 1, 1]))
    value = functional.soft_jaccard(student, teacher).item()
    assert value == pytest.approx(1 - (1 / 2 + 2 / 3) / 2, rel=1e-6)


def test_soft_jaccard_by_hand():
    # Of class 0: 0.5 and 0.8, so 0.5 / 0.8; of class 1: 0.5 and 0.2, so 0.2 / 0.5.
    value = functional.soft_jaccard(pixel(0.5, 0.5).log(), pixel(0.8, 0.2).log())
    assert value.item() == pytest.approx(1 - (5 / 8 + 2 / 5) / 2, rel=1e-6)
    # With a threshold above 0.2 class 1 is not there.
    value = functional.soft_jaccard(pixel(0.5, 0.5).log(), pixel(0.8, 0.2).log(), threshold=0.3)
    assert value.item() == pytest.approx(3 / 8, rel=1e-6)


def test_soft_jaccard_as_its_authors_released_it_by_hand():
    # Intersection and union plus one: 1.5 / 1.8, 1.2 / 1.5, and 1 / 1 of class 2, which counts.
    student, teacher = pixel(0.5, 0.5, 0.0).log(), pixel(0.8, 0.2, 0.0).log()
    value = functional.soft_jaccard(student, teacher, threshold=None, smooth=1.0).item()
    assert value == pytest.approx((3 / 18 + 3 / 15 + 0) / 3, rel=1e-6)


def test_edges_by_hand():
    v = -1
    labels = torch.tensor([[[0, 0, 0, 1], [0, 0, 0, v], [0, 0, 0, v], [2, v, 0, 0]]])
    expected = torch.tensor([[[0, 0, 1, 1], [0, 0, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]]).bool()
    assert torch.equal(functional.edges(labels), expected)
    # Two steps away all but (3, 3), and the void ones, see another class.
    expected = torch.tensor([[[0, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 0], [1, 0, 1, 0]]]).bool()
    assert torch.equal(functional.edges(labels, width=2), expected)


def test_void_alone_makes_no_edge():
    labels = torch.tensor([[[3, -1, 3], [-1, 3, -1]]])
    assert not functional.edges(labels).any()


def test_boundary_split_takes_each_part_with_its_own_loss_and_weight():
    student, teacher = maps()
    labels = torch.zeros(2, 4, 6).long()
    labels[:, :, 3:] = 1
    edge = torch.zeros(2, 4, 6, dtype=torch.bool)
    edge[:, :, 2:4] = True
    value = functional.boundary_split(
        student, teacher, labels, temperature=2.0, edge_weight=3.0, body_weight=0.5
    )
    s, t = student.double().numpy(), teacher.double().numpy()
    expected = 3 * formulas.pixel_kl(s, t, edge.numpy(), 2) + 0.5 * formulas.channel_wise(
        s, t, ~edge.numpy(), 2
    )
    assert value.item() == pytest.approx(expected, rel=1e-5)


# Features.


def test_pkd_is_one_minus_the_correlation_of_each_channel():
    student, teacher = maps()
    correlations = [
        np.corrcoef(student[:, c].flatten(), teacher[:, c].flatten())[0, 1] for c in range(5)
    ]
    value = functional.pkd(student, teacher).item()
    assert value == pytest.approx(1 - np.mean(correlations), rel=1e-5)
    scale, shift = torch.rand(2, 1, 5, 1, 1) + 0.5
    assert functional.pkd(scale * student + shift, teacher).item() == pytest.approx(value, rel=1e-5)


def test_pkd_by_hand():
    # One channel (0, 1, 2) against (0, 2, 1): the covariance is half of either variance.
    student, teacher = row([0], [1], [2]), row([0], [2], [1])
    assert functional.pkd(student, teacher).item() == pytest.approx(0.5, rel=1e-6)


def test_cosine_smooth_l1_by_hand():
    # Standardised, channel 0 is (-1, 1) against (-1, 1), channel 1 (-1, 1) against (1, -1): at
    # both pixels the cosine is 0 and the distances 0 and 2, of which smooth L1 makes 0 and 1.5.
    student, teacher = row([0, 0], [2, 4]), row([5, 9], [7, 3])
    expected = 0.5 * 1 + 0.5 * 1.5 / 2
    assert functional.cosine_smooth_l1(student, teacher).item() == pytest.approx(expected, rel=1e-6)


def test_attention_transfer_by_hand():
    # Energies (9, 16) and (1, 0), scaled (0.6, 0.8) x 15.297...: unit maps (9, 16) / sqrt(337).
    student, teacher = row([3, 0], [0, 4]), row([1, 0], [0, 0])
    expected = 2 - 2 * 9 / math.sqrt(337)
    value = functional.attention_transfer(student, teacher).item()
    assert value == pytest.approx(expected, rel=1e-6)


def test_attention_transfer_sees_no_scale_no_sign_and_no_order_of_channels():
    student, teacher = maps()
    value = functional.attention_transfer(student, teacher).item()
    moved = functional.attention_transfer(-3 * student.flip(1), 0.1 * teacher).item()
    assert moved == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    'loss', [functional.attention_transfer, *RELATIONS], ids=lambda f: f.__name__
)
def test_a_student_may_have_other_channels(loss):
    student, teacher = maps()
    padded = torch.cat([student, torch.zeros(2, 3, 4, 6)], dim=1)
    assert loss(padded, teacher).item() == pytest.approx(loss(student, teacher).item(), rel=1e-5)


# Relations.


@each_relation
def test_a_rotation_of_the_channels_and_a_scale_change_nothing(loss):
    student, teacher = maps()
    turned = 3 * torch.einsum('cd,ndhw->nchw', rotation(5), student)
    value = loss(student, teacher).item()
    assert loss(turned, teacher).item() == pytest.approx(value, rel=1e-4)
    assert loss(turned, student).item() == pytest.approx(0, abs=1e-5)


@each_relation
def test_nodes_are_averages_of_valid_positions(loss):
    student, teacher = maps()
    valid = torch.ones(2, 4, 6, dtype=torch.bool)
    valid[0, :2, 2:4] = valid[1, 0, :] = False
    pooled = loss(student, teacher, valid, pool=2).item()
    averages = torch.zeros(2, 2, 5, 2, 3)
    counts = torch.zeros(2, 2, 3, dtype=torch.bool)
    for n, i, j in np.ndindex(2, 2, 3):
        part = np.s_[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        counts[n, i, j] = valid[part].any()
        if counts[n, i, j]:
            for side, x in enumerate((student, teacher)):
                averages[side, n, :, i, j] = x.movedim(1, -1)[part][valid[part]].mean(0)
    expected = loss(*averages, counts, pool=1).item()
    assert pooled == pytest.approx(expected, rel=1e-4)


KEYS = torch.eye(3)
BOUNDED = {
    # Windows of 2 leave 40 x 45 nodes, of 3 27 x 30.
    'pair_wise': (functional.pair_wise, (80, 90), 3),
    'self_similarity': (functional.self_similarity, (80, 90), 3),
    # Windows of 5 leave 16 x 18 nodes, of 6 14 x 15.
    'cross_image': (functional.cross_image, (80, 90), 6),
    'memory_affinity': (partial(functional.memory_affinity, keys=KEYS), (80, 90), 6),
    # Windows of 2 leave 16 x 17 nodes, of 3 11 x 11.
    'cross_image, odd': (functional.cross_image, (31, 33), 3),
}


@pytest.mark.parametrize(('loss', 'size', 'side'), BOUNDED.values(), ids=list(BOUNDED))
def test_the_window_grows_until_the_nodes_are_no_more_than_the_bound(loss, size, side):
    student, teacher = maps(channels=3, size=size)
    bounded, by_side = (
        loss(student, teacher, **kw) for kw in ({}, dict(pool=side, max_nodes=None))
    )
    assert torch.equal(bounded, by_side)


def units(x, pool=1):
    """Pooled positions as unit vectors in float64, [N, n, C]."""
    return F.normalize(F.avg_pool2d(x.double(), pool), dim=1).flatten(2).mT


def affinity_kl(s, t, s_keys, t_keys, temperature):
    s, t = (F.log_softmax(x @ keys.T / temperature, 1) for x, keys in ((s, s_keys), (t, t_keys)))
    return F.kl_div(s, t, reduction='batchmean', log_target=True)


def skd_in_cirkds_code(s, t):
    s, t = units(s, 2), units(t, 2)
    return (s @ s.mT - t @ t.mT).square().mean()


def lightly_train(s, t):
    pairs = zip(units(s), units(t), strict=True)
    return torch.stack([affinity_kl(a, b, a, b, 0.07) for a, b in pairs]).mean()


def cirkd(s, t):
    s, t = units(s), units(t)
    pairs = [(i, j) for i in range(len(s)) for j in range(len(s))]
    return torch.stack([affinity_kl(s[i], t[i], s[j], t[j], 0.1) for i, j in pairs]).mean()


def channel_units(x):
    return F.normalize(F.avg_pool2d(x.double(), 4, ceil_mode=True).flatten(2), dim=2)


def cirkd_v2(s, t):
    s, t = channel_units(s), channel_units(t)
    pairs = [(i, j) for i in range(len(s)) for j in range(len(s))]
    return torch.stack([affinity_kl(s[i], t[i], s[j], t[j], 0.1) for i, j in pairs]).mean()


def cirkd_v2_direction(s, t):
    s, t = channel_units(s), channel_units(t)
    return s.shape[2] * (s - t).square().mean()


CHANNELS = {
    'channel_relations': (functional.channel_relations, cirkd_v2),
    'channel_direction': (functional.channel_direction, cirkd_v2_direction),
}


@pytest.mark.parametrize(('loss', 'reference'), CHANNELS.values(), ids=list(CHANNELS))
def test_channel_terms_are_those_of_cirkdv2(loss, reference):
    student, teacher = maps(channels=6, size=(18, 33))
    expected = reference(student, teacher).item()
    assert expected > 0.1
    assert loss(student, teacher).item() == pytest.approx(expected, rel=1e-5)


PUBLISHED = {
    'SKD, 32': (functional.pair_wise, 2, skd_in_cirkds_code, 32, 2),
    'SKD, 64': (functional.pair_wise, 2, skd_in_cirkds_code, 64, 2),
    'LightlyTrain, 32': (functional.self_similarity, 1, lightly_train, 32, 2),
    'CIRKD, 32': (functional.cross_image, 1, cirkd, 32, 2),
    'CIRKD, 64': (functional.cross_image, 1, cirkd, 64, 1),
}


@pytest.mark.parametrize(
    ('loss', 'pool', 'reference', 'side', 'images'), PUBLISHED.values(), ids=list(PUBLISHED)
)
def test_without_a_bound_it_is_the_published_loss(loss, pool, reference, side, images):
    student, teacher = maps(channels=3, size=(side, side))[:, :images]
    value = loss(student, teacher, pool=pool, max_nodes=None).item()
    assert value == pytest.approx(reference(student, teacher).item(), rel=1e-5)


def test_pair_wise_by_hand():
    # The cosine of the two student nodes is 0, of the teacher's 1; two of four pairs differ by 1.
    student, teacher = row([1, 0], [0, 1]), row([1, 0], [2, 0])
    assert functional.pair_wise(student, teacher, pool=1).item() == pytest.approx(0.5)


def test_self_similarity_by_hand():
    # Each row is (1, 0) for the student and (1, 1) for the teacher, over τ = 1.
    student, teacher = row([1, 0], [0, 1]), row([1, 0], [2, 0])
    p = math.e / (1 + math.e)
    expected = 0.5 * math.log(0.5 / p) + 0.5 * math.log(0.5 / (1 - p))
    value = functional.self_similarity(student, teacher, temperature=1.0, pool=1)
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_cross_image_compares_images_with_each_other():
    # Each image by itself is the teacher's up to a rotation, but not the same one.
    teacher, _ = maps()
    student = teacher.clone()
    student[1] = torch.einsum('cd,dhw->chw', rotation(5), teacher[1])
    assert functional.self_similarity(student, teacher).item() == pytest.approx(0, abs=1e-4)
    assert functional.cross_image(student, teacher).item() > 0.1


def test_without_keys_memory_affinity_is_zero_with_a_gradient_of_zero():
    student, teacher = maps()
    student.requires_grad_()
    value = functional.memory_affinity(student, teacher, keys=torch.zeros(0, 5))
    value.backward()
    assert value.item() == 0
    assert not student.grad.any()


def test_intra_class_by_hand():
    # Class 0 has (1, 0) and (0, 1) in the student, mean (1/2, 1/2), cosines 1/√2; in the teacher
    # both are (1, 0), cosines 1. Class 1 is alone: cosine 1 in both.
    student, teacher = row([1, 0], [0, 1], [3, 4]), row([1, 0], [2, 0], [1, 1])
    value = functional.intra_class(student, teacher, torch.tensor([[[0, 0, 1]]])).item()
    assert value == pytest.approx(2 / 3 * (1 - math.sqrt(0.5)) ** 2, rel=1e-5)


# Dense contrast, which is no divergence.

CONTRAST = dict(groups=2, patch=2, pool=1)


def contrast_maps():
    student, teacher = maps(channels=6, size=(4, 5))
    valid = torch.ones(2, 4, 5, dtype=torch.bool)
    valid[0, :2, :2] = valid[1, 1, 1:] = False
    return student, teacher, valid


def test_dense_contrast_is_that_of_the_formula():
    student, teacher, valid = contrast_maps()
    value = functional.dense_contrast(student, teacher, valid, temperature=1.0, **CONTRAST)
    expected = formulas.dense_contrast(
        student.double().numpy(), teacher.double().numpy(), valid.numpy(), 2, 2, 1.0
    )
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_dense_contrast_by_hand():
    # Nothing tells one group of the other at any of four positions: 1 of 1 + 4 is the own.
    value = functional.dense_contrast(torch.ones(1, 4, 2, 2), torch.ones(1, 4, 2, 2), **CONTRAST)
    assert value.item() == pytest.approx(math.log(5), rel=1e-6)
    # Groups that are far apart are told for certain.
    far = torch.tensor([0.0, 0, 9, 9]).view(1, 4, 1, 1).expand(1, 4, 2, 2)
    assert functional.dense_contrast(far, far, **CONTRAST).item() == pytest.approx(0, abs=1e-6)


def test_dense_contrast_pools_by_maxima_of_valid_positions():
    student, teacher, _ = contrast_maps()
    valid = torch.ones(2, 4, 5, dtype=torch.bool)
    valid[0, 0, 0] = False
    student[0, :, 0, 0] = 1e4
    pooled = [F.max_pool2d(x, 2) for x in (student, teacher)]
    for x, kept in zip((student, teacher), pooled, strict=True):
        kept[0, :, 0, 0] = x[0, :, :2, :2].flatten(1)[:, 1:].amax(1)
    value = functional.dense_contrast(student, teacher, valid, groups=2, patch=2, pool=2)
    assert value.item() == functional.dense_contrast(*pooled, **CONTRAST).item()


def test_dense_contrast_of_a_map_smaller_than_patch_and_pool_still_compares():
    student, teacher, _ = contrast_maps()
    assert functional.dense_contrast(student, teacher, groups=2, patch=8, pool=4).item() > 0


def test_dense_contrast_is_well_behaved():
    student, teacher, valid = contrast_maps()
    # Void changes nothing and gets no gradient; the teacher gets none at all.
    value = functional.dense_contrast(student, teacher, valid, **CONTRAST)
    noisy = [torch.where(valid[:, None], x, torch.inf).requires_grad_() for x in (student, teacher)]
    same = functional.dense_contrast(*noisy, valid, **CONTRAST)
    same.backward()
    assert torch.equal(same, value)
    assert noisy[1].grad is None
    assert not noisy[0].grad.movedim(1, -1)[~valid].any()
    # A doubled batch leaves the value.
    twice = functional.dense_contrast(
        *(torch.cat([x, x]) for x in (student, teacher, valid)), **CONTRAST
    )
    assert twice.item() == pytest.approx(value.item(), rel=1e-5)


@pytest.mark.parametrize('valid', [None, torch.zeros(2, 4, 5, dtype=torch.bool)])
def test_dense_contrast_is_finite_on_extremes_and_on_void(valid):
    student, teacher, _ = contrast_maps()
    student = (1e4 * student.sign()).requires_grad_()
    value = functional.dense_contrast(student, 1e4 * teacher.sign(), valid, **CONTRAST)
    value.backward()
    assert value.isfinite() and student.grad.isfinite().all()
    if valid is not None:
        assert value.item() == 0 and not student.grad.any()


# Labels at the size of a map.


def test_labels_at_takes_the_middle_of_each_cell_that_counts():
    v = 255
    labels = torch.tensor(
        [[[0, 0, 0, 1, 1, 1], [0, 2, 0, 1, v, 1], [0, 0, 0, 1, 1, 1]] + 3 * [[3, 3, 3, v, 4, v]]]
    )
    # Cells of three: the middle is 2; void; 3; 4, but two thirds of that cell are void.
    assert functional.labels_at(labels, (2, 2)).tolist() == [[[2, -1], [3, -1]]]


def test_labels_at_the_size_of_the_labels_are_the_labels():
    labels = torch.tensor([[[7, 255]]])
    assert functional.labels_at(labels, (1, 2)).tolist() == [[[7, -1]]]
    assert functional.labels_at(labels, (1, 2), ignore_index=7).tolist() == [[[-1, 255]]]


# Labels alone.


def logits_of(*rows):
    """Logits of one row of positions whose softmax is given: [1, C, 1, W]."""
    return row(*rows).log()


def test_hard_jaccard_by_hand():
    # Labels 0, 0, 1. Class 0: apart 1/4 + 1/2 + 1/4 = 1, together (3 + 2 + 1) / 4 + 2 = 3.5, so the
    # distance is 2 / 4.5. Class 1 likewise: apart 1, together 1.5 + 1, so 2 / 3.5. Class 2 of the
    # student is nowhere in the labels.
    student = logits_of((3 / 4, 1 / 4, 1e-30), (1 / 2, 1 / 2, 1e-30), (1 / 4, 3 / 4, 1e-30))
    labels = torch.tensor([[[0, 0, 1]]])
    value = functional.hard_jaccard(student, torch.zeros_like(student), labels).item()
    assert value == pytest.approx((2 / 4.5 + 2 / 3.5) / 2, rel=1e-5)


def test_hard_jaccard_is_one_minus_the_iou_of_a_sure_prediction_and_void_counts_nowhere():
    # Predicted 0 0 1 1, labels 0 1 1 and void: IoU of 0 is 1/2, of 1 is 1/2.
    student = 100 * row((1, 0), (1, 0), (0, 1), (0, 1))
    labels = torch.tensor([[[0, 1, 1, -1]]])
    value = functional.hard_jaccard(student, student, labels).item()
    assert value == pytest.approx(1 - 1 / 2, abs=1e-6)
    assert functional.hard_jaccard(student, student, torch.full_like(labels, -1)).item() == 0
    right = functional.hard_jaccard(student, student, torch.tensor([[[0, 0, 1, 1]]])).item()
    assert right == pytest.approx(0, abs=1e-6)
    # Released with a smoothing of one pixel: (1 + 1) / (2 + 1) of both classes.
    smoothed = functional.hard_jaccard(student, student, labels, smooth=1.0).item()
    assert smoothed == pytest.approx(1 - 2 / 3, abs=1e-6)


def test_hard_jaccard_moves_the_student_towards_the_labels_at_extreme_logits_too():
    student = (1e4 * row((1, 0), (0, 1))).requires_grad_()
    functional.hard_jaccard(student, student, torch.tensor([[[1, 1]]])).backward()
    assert student.grad.isfinite().all()
    fair = torch.zeros(1, 2, 1, 2, requires_grad=True)
    functional.hard_jaccard(fair, fair, torch.tensor([[[1, 1]]])).backward()
    assert (fair.grad[0, 1] < 0).all() and (fair.grad[0, 0] > 0).all()
