"""Losses with parameters or queues: MGD, Af-DCD, CIRKD's memories."""

import loss_formulas as formulas
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS
from torch import nn

from segkd_mm.losses import functional
from segkd_mm.losses.modules import memory
from segkd_mm.losses.modules.memory import ClassQueue, sample_mask

VOID = 255
AFDCD = dict(type='AfDCDLoss', channels=4, groups=2, patch=2, pool=1)
each_generator = pytest.mark.parametrize(
    'config', [dict(type='MGDLoss', channels=4), AFDCD], ids=lambda config: config['type']
)


def maps():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(2, 2, 4, 4, 6, generator=draw)


def labels():
    """Three classes in columns, void at the right of image 0 and the top of image 1."""
    ids = torch.tensor([0, 0, 1, 1, 2, 2]).expand(2, 4, 6).clone()
    ids[0, :, 5] = ids[1, 0] = VOID
    return ids


def generated(generator, x):
    """The generator in float64, by its weights alone."""
    first, _, second = generator
    hidden = F.conv2d(x.double(), first.weight.double(), first.bias.double(), padding=1)
    return F.conv2d(hidden.clamp(min=0), second.weight.double(), second.bias.double(), padding=1)


def make_identity(generator):
    for conv in (generator[0], generator[2]):
        nn.init.dirac_(conv.weight)
        nn.init.zeros_(conv.bias)


# Masked generation.


def test_mgd_is_the_squared_distance_of_what_the_kept_positions_regenerate():
    student, teacher = maps()
    loss = MODELS.build(dict(type='MGDLoss', channels=4, mask_ratio=0.5, loss_weight=3.0))
    torch.manual_seed(1)
    value = loss(student, teacher, labels())
    torch.manual_seed(1)
    valid = labels() != VOID
    kept = (torch.rand(2, 4, 6) >= 0.5) & valid
    assert 0 < kept.sum() < valid.sum()
    output = generated(loss.generator, student * kept[:, None])
    squared = (output - teacher.double()).square().movedim(1, -1)
    assert value.item() == pytest.approx(3 * squared[valid].mean().item(), rel=1e-5)


def test_afdcd_is_mgd_and_the_contrast_of_the_same_regeneration():
    student, teacher = maps()
    loss = MODELS.build(dict(**AFDCD, reconstruction=2.0, contrast=0.3, temperature=1.0))
    torch.manual_seed(1)
    value = loss(student, teacher, labels())
    torch.manual_seed(1)
    valid = labels() != VOID
    kept = (torch.rand(2, 4, 6) >= 0.75) & valid
    output = generated(loss.generator, student * kept[:, None]).detach().numpy()
    teacher, valid = teacher.double().numpy(), valid.numpy()
    expected = 2 * formulas.fitnet(output, teacher, valid) + 0.3 * formulas.dense_contrast(
        output, teacher, valid, groups=2, patch=2, temperature=1.0
    )
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_with_nothing_hidden_and_a_generator_that_copies_mgd_is_zero_at_the_teacher():
    loss = MODELS.build(dict(type='MGDLoss', channels=4, mask_ratio=0.0))
    make_identity(loss.generator)
    teacher = maps()[1].abs()
    assert loss(teacher.clone(), teacher).item() == 0


def test_the_mask_ratio_is_the_masked_part_of_the_positions():
    loss = MODELS.build(dict(type='MGDLoss', channels=1, mask_ratio=0.75))
    make_identity(loss.generator)
    torch.manual_seed(0)
    regenerated = loss.regenerate(torch.ones(4, 1, 50, 50), None)
    assert set(regenerated.unique().tolist()) == {0.0, 1.0}
    assert regenerated.mean().item() == pytest.approx(0.25, abs=0.02)  # 10,000 draws


@each_generator
def test_a_generated_loss_is_well_behaved(config):
    student, teacher = maps()
    loss = MODELS.build(config)

    def value(student, teacher, labels):
        torch.manual_seed(1)
        return loss(student, teacher, labels)

    plain = value(student, teacher, labels())
    void = (labels() == VOID)[:, None]
    noisy = [x.masked_fill(void, torch.inf).requires_grad_() for x in (student, teacher)]
    same = value(*noisy, labels())
    same.backward()
    assert torch.equal(same, plain)
    assert noisy[1].grad is None
    assert not noisy[0].grad.movedim(1, -1)[void[:, 0]].any()
    assert all(p.grad.any() for p in loss.parameters())
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(value(student, teacher, labels()), plain)
    extreme = value(1e4 * student.sign(), 1e4 * teacher.sign(), labels())
    assert extreme.isfinite()


@each_generator
def test_a_generated_loss_of_an_all_void_crop_is_zero_with_gradients_of_zero(config):
    student, teacher = maps()
    loss = MODELS.build(config)
    value = loss(student, teacher, torch.full((2, 4, 6), VOID))
    value.backward()
    assert value.item() == 0
    assert not any(p.grad.any() for p in loss.parameters())


@pytest.mark.parametrize('ratio', [-0.1, 1.0])
def test_a_mask_ratio_out_of_range_is_an_error(ratio):
    with pytest.raises(ValueError, match=f'MGDLoss: mask_ratio is {ratio}, must be in'):
        MODELS.build(dict(type='MGDLoss', channels=4, mask_ratio=ratio))


def test_groups_that_do_not_divide_the_channels_are_an_error():
    with pytest.raises(ValueError, match='AfDCDLoss: 10 channels do not divide into 16 groups'):
        MODELS.build(dict(type='AfDCDLoss', channels=10))


# The memory.


def entries(*values):
    """One class, one channel: [E, 1, 1], all present."""
    return torch.tensor(values).float().view(-1, 1, 1), torch.ones(len(values), 1).bool()


def test_a_queue_keeps_the_last_features_of_each_class():
    queue = ClassQueue(2, 3, 1)
    features = torch.tensor([[1.0, 10], [2, 20], [3, 30], [4, 40]])[:, :, None]
    present = torch.tensor([[1, 1], [1, 0], [1, 0], [1, 1]]).bool()
    queue.enqueue(features, present)
    assert queue.seen.tolist() == [4, 2]
    assert queue.features[0].flatten().sort()[0].tolist() == [2, 3, 4]
    assert queue.features[1].flatten().tolist() == [10, 40, 0]
    queue.enqueue(*(x.expand(1, 2, *x.shape[2:]) for x in entries(5)))
    assert queue.features[0].flatten().sort()[0].tolist() == [3, 4, 5]
    assert queue.features[1].flatten().tolist() == [10, 40, 5]


def test_a_draw_gives_filled_places_alone_and_each_once():
    queue = ClassQueue(2, 4, 1)
    assert queue.sample(3).shape == (0, 1)
    queue.enqueue(torch.tensor([[1.0, 10], [2, 20], [3, 30]])[:, :, None], torch.tensor(
        [[1, 1], [1, 0], [1, 0]]).bool())  # fmt: skip
    assert sorted(queue.sample(4).flatten().tolist()) == [1, 2, 3, 10]
    drawn = queue.sample(2).flatten().tolist()
    assert len(drawn) == len(set(drawn)) == 3 and 10 in drawn


def test_sample_mask_is_at_random_and_takes_true_elements_alone():
    torch.manual_seed(0)
    mask = torch.tensor([True, False, True, True]).expand(3000, 4)
    index, sampled = sample_mask(mask, 2)
    assert sampled.all()
    assert torch.bincount(index.flatten(), minlength=4)[1] == 0
    shares = torch.bincount(index.flatten(), minlength=4)[[0, 2, 3]] / 6000
    assert shares.tolist() == pytest.approx(3 * [1 / 3], abs=0.03)


def test_all_processes_hold_what_all_of_them_saw(monkeypatch):
    # As gathered from two processes: this one's, then another's.
    monkeypatch.setattr(memory, 'all_gather', lambda x: [x, 2 * x if x.is_floating_point() else x])
    queue = ClassQueue(1, 8, 1)
    queue.enqueue(*entries(1, 3))
    assert queue.features.flatten().tolist() == [1, 3, 2, 6, 0, 0, 0, 0]
    assert queue.seen.tolist() == [4]


def memory_loss(**kwargs):
    sizes = dict(num_classes=3, channels=4, pixels=64, regions=8, pixel_keys=200, region_keys=200)
    return MODELS.build({'type': 'CIRKDMemoryLoss', 'pool': 1, **sizes, **kwargs})


def test_the_memory_loss_bounds_its_nodes():
    # Of 4 x 6 positions windows of 3 leave 2 x 2 nodes.
    bounded, by_three = (
        memory_loss(**kwargs)(*maps(), labels())
        for kwargs in (dict(max_nodes=4), dict(pool=3, max_nodes=None))
    )
    assert bounded.item() == pytest.approx(by_three.item(), rel=1e-5)


def test_the_first_step_compares_with_the_batchs_own_pixels_and_regions():
    student, teacher = maps()
    loss = memory_loss(loss_weight=0.5)
    value = loss(student, teacher, labels())
    # 16 pixels of each class and image are kept, which is all that there are.
    s, t, ids = student.double().numpy(), teacher.double().numpy(), labels().numpy()
    units = t / np.sqrt((t**2).sum(1, keepdims=True))
    regions = [
        formulas.unit(formulas.pixels(units[n : n + 1], ids[n : n + 1] == k).mean(0))
        for n in range(2)
        for k in range(3)
    ]
    keys = [formulas.pixels(units, ids != VOID), np.array(regions)]
    expected = sum(formulas.memory_affinity(s, t, ids != VOID, k) for k in keys)
    assert value.item() == pytest.approx(0.5 * expected, rel=1e-5)


def test_an_image_adds_a_bounded_number_of_pixels_all_of_their_class():
    teacher = labels()[:, None].expand(2, 4, 4, 6).float() + 1
    teacher[:, 1:] = 1  # directions by class
    big = teacher.repeat_interleave(3, 2).repeat_interleave(3, 3)
    loss = memory_loss()
    loss(torch.randn_like(big), big, labels())
    assert loss.pixels.seen.tolist() == [32, 32, 32]
    assert loss.regions.seen.tolist() == [2, 2, 2]
    for k in range(3):
        expected = F.normalize(torch.tensor([k + 1.0, 1, 1, 1]), dim=0)
        for kept in (loss.pixels.features[k, :32], loss.regions.features[k, :2]):
            torch.testing.assert_close(kept, expected.expand_as(kept))


def test_what_is_remembered_is_the_teachers_and_is_used_in_the_next_step():
    student, teacher = maps()
    ids, absent = labels(), torch.full((2, 4, 6), VOID)
    loss = memory_loss()
    assert loss(student, teacher, absent).item() == 0  # nothing seen yet
    loss(student, teacher, ids)
    before = loss.pixels.features.clone()
    other = teacher.flip(1)
    value = loss(student, other, torch.where(ids == 0, 0, VOID)).item()
    fresh = memory_loss()
    assert value != pytest.approx(
        fresh(student, other, torch.where(ids == 0, 0, VOID)).item(), rel=1e-3
    )
    assert torch.equal(loss.pixels.features[1:], before[1:])


def test_the_memory_is_in_the_state_and_goes_on_from_there():
    student, teacher = maps()
    first, second = memory_loss(), memory_loss()
    first(student, teacher, labels())
    assert [key for key in first.state_dict() if 'pixels' in key] == [
        'pixels.features',
        'pixels.seen',
    ]
    second.load_state_dict(first.state_dict())
    values = []
    for loss in (first, second):
        torch.manual_seed(4)
        values.append(loss(teacher, student, labels()))
    assert torch.equal(*values)


def test_the_memory_loss_is_well_behaved():
    student, teacher = maps()
    assert memory_loss()(teacher.clone(), teacher, labels()).item() == pytest.approx(0, abs=1e-5)
    void = (labels() == VOID)[:, None]
    noisy = [x.masked_fill(void, torch.inf).requires_grad_() for x in (student, teacher)]
    value = memory_loss()(*noisy, labels())
    value.backward()
    assert value.item() == pytest.approx(memory_loss()(student, teacher, labels()).item(), rel=1e-5)
    assert noisy[1].grad is None
    assert not noisy[0].grad.movedim(1, -1)[void[:, 0]].any()
    with torch.autocast('cpu', torch.bfloat16):
        half = memory_loss()(student, teacher, labels())
    assert half.item() == pytest.approx(value.item(), rel=1e-5)
    extreme = (1e4 * student.sign()).requires_grad_()
    value = memory_loss()(extreme, 1e4 * teacher.sign(), labels())
    value.backward()
    assert value.isfinite() and extreme.grad.isfinite().all()


def channel_memory(**kwargs):
    return MODELS.build({'type': 'ChannelMemoryLoss', 'windows': 6, 'pool': 2, **kwargs})


def test_channels_are_compared_with_those_that_the_queue_holds():
    student, teacher = maps()
    valid = labels() != VOID
    loss = channel_memory(loss_weight=0.5)
    value = loss(student, teacher, labels())
    assert loss.queue.seen.tolist() == [8]  # two images of four channels
    s, t = (
        functional.channel_maps(torch.where(valid[:, None], x, 0), valid, 2).double().numpy()
        for x in (student, teacher)
    )
    s, t = s.reshape(8, 6), t.reshape(8, 6)
    expected = np.mean(formulas.affinity_kl(s, t, t, t, 0.1))
    assert value.item() == pytest.approx(0.5 * expected, rel=1e-4)
    held = sorted(map(tuple, loss.queue.features[0, :8].tolist()))
    np.testing.assert_allclose(held, sorted(map(tuple, t.tolist())), atol=1e-6)


def test_a_queue_of_channels_takes_no_empty_image_and_one_size_of_map():
    student, teacher = maps()
    ids = labels()
    ids[0] = VOID
    loss = channel_memory()
    loss.channels_per_step = 3
    torch.manual_seed(0)
    loss(student, teacher, ids)
    loss.channels_per_step = 256
    loss(student, teacher, ids)
    assert 4 <= loss.queue.seen.item() <= 7  # four of the second image, once more up to three
    assert channel_memory()(student, teacher, torch.full_like(ids, VOID)).item() == 0
    with pytest.raises(ValueError, match=r'windows is 5, found 6 windows in a map of \(4, 6\)'):
        channel_memory(windows=5)(student, teacher, ids)


def test_labels_beyond_the_memorys_classes_are_not_remembered():
    loss = memory_loss()
    loss(*maps(), labels().masked_fill(labels() == 2, 7))
    assert loss.pixels.seen.tolist() == [14, 14, 0]
    assert loss.regions.seen.tolist() == [2, 2, 0]
