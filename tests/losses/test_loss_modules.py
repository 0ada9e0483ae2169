"""Loss modules: weights, void and arguments of the config reach the functions."""

import re
from functools import partial
from inspect import signature

import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

from segkd_mm.losses import functional
from segkd_mm.losses.modules.base import KDLoss

VOID = 255


def softmax(x, axis):
    exp = np.exp(x - x.max(axis, keepdims=True))
    return exp / exp.sum(axis, keepdims=True)


def kl(s, t, temperature, axis):
    p, q = softmax(t / temperature, axis), softmax(s / temperature, axis)
    return temperature**2 * (p * np.log(p / q)).sum(axis)


def cosine(s, t):
    dot, s2, t2 = (s * t).sum(0), (s * s).sum(0), (t * t).sum(0)
    return dot / np.sqrt(s2 * t2)


# In float64, of student and teacher [C, positions that count].
FORMULAS = {
    'PixelKLLoss': lambda s, t: kl(s, t, 1, axis=0).mean(),
    'CosineFeatureLoss': lambda s, t: (1 - cosine(s, t)).mean(),
    'FitNetLoss': lambda s, t: ((s - t) ** 2).mean(),
    'ChannelWiseLoss': lambda s, t: kl(s, t, 4, axis=1).mean(),
}
each_loss = pytest.mark.parametrize('name', FORMULAS)
each_with_temperature = pytest.mark.parametrize('name', ['PixelKLLoss', 'ChannelWiseLoss'])


def maps(channels=3):
    draw = torch.Generator().manual_seed(0)
    return torch.randn(2, 1, channels, 2, 2, generator=draw)


def labels_without_the_last_quarter(void=VOID):
    labels = torch.zeros(1, 8, 8, dtype=torch.long)
    labels[:, 4:, 4:] = void
    labels[:, 5, 5] = 1  # one labelled pixel of sixteen does not make the quarter count
    return labels


def expected(name, student, teacher, count):
    s, t = (x[0].flatten(1)[:, :count].double().numpy() for x in (student, teacher))
    return FORMULAS[name](s, t)


@each_loss
def test_the_weighted_formula_over_the_labelled_positions(name):
    student, teacher = maps()
    loss = MODELS.build(dict(type=name, loss_weight=0.3))
    value = loss(student, teacher, labels_without_the_last_quarter())
    assert value.item() == pytest.approx(0.3 * expected(name, student, teacher, 3), rel=1e-5)


@each_loss
def test_without_labels_every_position_counts_and_the_weight_is_one(name):
    student, teacher = maps()
    value = MODELS.build(dict(type=name))(student, teacher)
    assert value.item() == pytest.approx(expected(name, student, teacher, 4), rel=1e-5)


@each_loss
def test_void_is_what_ignore_index_says(name):
    student, teacher = maps()
    loss = MODELS.build(dict(type=name, ignore_index=11))
    value = loss(student, teacher, labels_without_the_last_quarter(void=11))
    assert value.item() == pytest.approx(expected(name, student, teacher, 3), rel=1e-5)


@each_loss
def test_all_void_labels_give_zero_and_a_gradient_of_zero(name):
    student, teacher = maps()
    student.requires_grad_()
    value = MODELS.build(dict(type=name))(student, teacher, torch.full((1, 8, 8), VOID))
    value.backward()
    assert value.item() == 0
    assert torch.equal(student.grad, torch.zeros_like(student))


@each_with_temperature
def test_the_temperature_is_that_of_the_config(name):
    student, teacher = maps()
    value = MODELS.build(dict(type=name, temperature=2.5))(student, teacher)
    s, t = (x[0].flatten(1).double().numpy() for x in (student, teacher))
    axis = 0 if name == 'PixelKLLoss' else 1
    assert value.item() == pytest.approx(kl(s, t, 2.5, axis).mean(), rel=1e-5)


@pytest.mark.parametrize('weight', [-0.1, float('nan'), float('inf'), '0.5', None])
def test_a_weight_must_be_a_finite_number_of_zero_or_more(weight):
    message = f'PixelKLLoss: loss_weight is {weight!r}, must be a finite number >= 0'
    with pytest.raises(ValueError, match=re.escape(message)):
        MODELS.build(dict(type='PixelKLLoss', loss_weight=weight))
    assert MODELS.build(dict(type='PixelKLLoss', loss_weight=0)).loss_weight == 0


# Of each module: arguments other than the defaults, the function that it stands for with them,
# and with the defaults.
MODULES = {
    'PixelKLLoss': (dict(temperature=3.0), functional.pixel_kl),
    'StandardisedKLLoss': (dict(temperature=3.0), functional.standardised_kl),
    'ChannelWiseLoss': (dict(temperature=3.0), functional.channel_wise),
    'DKDLoss': (dict(temperature=3.0, alpha=2.0, beta=5.0), functional.dkd),
    'DISTLoss': (dict(temperature=3.0, beta=2.0, gamma=5.0), functional.dist),
    'SoftJaccardLoss': (dict(temperature=3.0, threshold=0.3, smooth=1.0), functional.soft_jaccard),
    'HardJaccardLoss': (dict(smooth=1.0), functional.hard_jaccard),
    'BoundarySplitLoss': (
        dict(temperature=3.0, width=2, edge_weight=2.0, body_weight=5.0),
        functional.boundary_split,
    ),
    'CosineFeatureLoss': ({}, functional.cosine_feature),
    'CosineSmoothL1Loss': ({}, functional.cosine_smooth_l1),
    'FitNetLoss': ({}, functional.fitnet),
    'PKDLoss': ({}, functional.pkd),
    'AttentionTransferLoss': ({}, functional.attention_transfer),
    'PairWiseLoss': (dict(pool=1, max_nodes=4), functional.pair_wise),
    'SelfSimilarityLoss': (
        dict(temperature=0.5, pool=1, max_nodes=4),
        functional.self_similarity,
    ),
    'CrossImageLoss': (dict(temperature=0.5, pool=1, max_nodes=4), functional.cross_image),
    'IntraClassLoss': ({}, functional.intra_class),
}
LABELLED = ['DKDLoss', 'HardJaccardLoss', 'BoundarySplitLoss', 'IntraClassLoss']
OTHER_CHANNELS = [
    'AttentionTransferLoss', 'PairWiseLoss', 'SelfSimilarityLoss', 'CrossImageLoss',
    'IntraClassLoss',
]  # fmt: skip
each_module = pytest.mark.parametrize('name', MODULES)


def larger_maps_and_labels():
    draw = torch.Generator().manual_seed(0)
    ids = torch.tensor([0, 0, 1, 1, 2, 2]).expand(2, 4, 6).clone()
    ids[0, :, 5] = ids[1, 0] = VOID
    return *torch.randn(2, 2, 3, 4, 6, generator=draw), ids


@each_module
def test_a_module_is_its_function_with_the_arguments_of_the_config(name):
    kwargs, function = MODULES[name]
    student, teacher, ids = larger_maps_and_labels()
    if name in LABELLED:
        counts = functional.labels_at(ids, (4, 6))
    else:
        counts = functional.valid_pixels(ids, (4, 6))
    for given in (kwargs, {}):
        value = MODELS.build(dict(type=name, loss_weight=2.0, **given))(student, teacher, ids)
        expected = 2 * partial(function, **given)(student, teacher, counts)
        assert torch.equal(value, expected)
        assert value > 1e-4
    if kwargs:
        assert value != 2 * partial(function, **kwargs)(student, teacher, counts)


@pytest.mark.parametrize('name', LABELLED)
def test_a_loss_by_class_says_that_it_needs_labels(name):
    with pytest.raises(ValueError, match=f'{name} compares by class: it needs labels, got None'):
        MODELS.build(dict(type=name))(*larger_maps_and_labels()[:2])


@each_module
def test_a_module_knows_whether_it_needs_the_teachers_channels(name):
    loss = MODELS.build(dict(type=name))
    student, teacher, ids = larger_maps_and_labels()
    assert loss.same_channels == (name not in OTHER_CHANNELS)
    if loss.same_channels:
        with pytest.raises(ValueError, match='compares student and teacher of one shape'):
            loss(student[:, :2], teacher, ids)
    else:
        assert loss(student[:, :2], teacher, ids).isfinite()


@pytest.mark.parametrize(
    ('name', 'argument'),
    [
        (name, argument)
        for name, (kwargs, _) in MODULES.items()
        for argument in ('temperature', 'pool', 'max_nodes')
        if argument in kwargs
    ],
)
def test_temperatures_pools_and_bounds_must_be_positive_numbers(name, argument):
    for value in (0, '1'):
        message = f'{name}: {argument} is {value!r}, must be a finite number > 0'
        with pytest.raises(ValueError, match=message):
            MODELS.build(dict(type=name, **{argument: value}))


def test_losses_by_class_leave_images_without_labels_out_and_the_others_do_not():
    student, teacher = maps()
    labels = labels_without_the_last_quarter()
    free = torch.where(labels == VOID, 254, labels)
    for name in ('DKDLoss', 'HardJaccardLoss'):
        loss = MODELS.build(dict(type=name))
        assert torch.equal(loss(student, teacher, free), loss(student, teacher, labels))
    whole = MODELS.build(dict(type='PixelKLLoss'))
    assert torch.equal(whole(student, teacher, free), whole(student, teacher))


# Of these a batch is more than the sum of its images, in their papers too.
OF_THE_BATCH = {
    'CosineSmoothL1Loss', 'PKDLoss', 'DISTLoss', 'SoftJaccardLoss', 'HardJaccardLoss',
    'CrossImageLoss', 'ChannelRelationLoss',
}  # fmt: skip


def test_the_mean_over_processes_is_the_loss_of_their_images_together_but_of_some():
    arguments = {'channels': 16, 'num_classes': 16}
    draw = torch.Generator().manual_seed(0)
    scale = torch.tensor([1.0, 1.0, 3.0, 3.0])[:, None, None, None]
    maps = torch.randn(2, 4, 16, 12, 12, generator=draw) * scale
    labels = torch.randint(0, 16, (4, 12, 12), generator=draw)
    differ = set()
    for name, kind in list(MODELS.module_dict.items()):
        if name.endswith('MemoryLoss') or not (isinstance(kind, type) and issubclass(kind, KDLoss)):
            continue  # its queues hold the images of all processes
        known = signature(kind).parameters
        loss = kind(**{key: value for key, value in arguments.items() if key in known})
        loss.mask_ratio = 0.0  # of those that mask positions at random
        together = loss(*maps, labels)
        shares = [loss(*maps[:, part], labels[part]) for part in (slice(0, 2), slice(2, 4))]
        if not torch.allclose(together, sum(shares) / 2, rtol=1e-4):
            differ.add(name)
    assert differ == OF_THE_BATCH
