import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

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


@each_with_temperature
@pytest.mark.parametrize('temperature', [0, -1.0])
def test_a_temperature_must_be_positive(name, temperature):
    with pytest.raises(ValueError, match=f'{name}: temperature is {temperature}'):
        MODELS.build(dict(type=name, temperature=temperature))
