"""A term whose loss has parameters, queues, or no need of the teacher's channels."""

import pytest
import torch

import segkd_mm  # noqa: F401  registers the losses
from segkd_mm.build_hints import BuildError
from segkd_mm.distill.term import Term
from segkd_mm.losses.modules.memory import ClassQueue

TRIAL = torch.zeros(1, 3, 4, 4), {'t': torch.zeros(1, 5, 2, 2)}


def build(schedule=None, **loss):
    adapter = loss.pop('adapter', None)
    return Term('name', 's', 't', loss, TRIAL, adapter=adapter, schedule=schedule)


def maps():
    return torch.randn(2, 3, 8, 8), {'t': torch.randn(2, 5, 4, 4)}


def test_auto_channels_of_a_loss_are_the_teachers():
    config = dict(type='MGDLoss', channels='auto', adapter='auto')
    term = build(**config)
    assert term.loss.generator[0].weight.shape[:2] == (5, 5)
    assert {name.split('.')[0] for name in term.state_dict()} == {'adapter', 'loss'}
    assert term(*maps(), None) > 0


def test_a_loss_of_relations_takes_other_channels_without_an_adapter():
    term = build(type='PairWiseLoss')
    assert term(*maps(), None) > 0
    with pytest.raises(ValueError, match="gives 3 channels, teacher tap 't' 5"):
        build(type='FitNetLoss')


def test_a_term_without_weight_keeps_all_its_parameters_in_the_graph():
    term = build(type='MGDLoss', channels='auto', adapter='auto', loss_weight=0.0)
    assert not term.is_on
    zero = term(torch.randn(2, 3, 8, 8), {}, None)
    zero.backward()
    assert zero.item() == 0
    gradients = [p.grad for p in term.parameters()]
    assert len(gradients) == 6
    assert all(g is not None and not g.any() for g in gradients)


def test_an_unknown_keyword_of_a_loss_names_the_term_and_all_keywords():
    message = (
        r"^Term 'name' > PixelKLLoss: no keyword 'temprature' \(did you mean 'temperature'\?\); "
        r'those that exist: .*\bloss_weight\b.*\.$'
    )
    with pytest.raises(BuildError, match=message):
        build(type='PixelKLLoss', temprature=2.0)


def test_an_unknown_loss_or_adapter_names_the_term_and_near_names():
    with pytest.raises(BuildError, match=r"^Term 'name': no model .*mean 'PixelKLLoss'"):
        build(type='PixelKLLos')
    with pytest.raises(BuildError, match=r"^Term 'name': no model .*'ConvModule'"):
        build(type='FitNetLoss', adapter={'type': 'ConvModul'})


def test_an_unknown_keyword_of_the_class_map_is_named():
    with pytest.raises(BuildError, match=r"^Term 'name' > classes: .*did you mean 'teacher'"):
        Term('name', 's', 't', {'type': 'PixelKLLoss'}, TRIAL, classes={'techer': 'voc'})


def test_a_schedule_is_straight_between_its_points_and_level_beyond():
    term = build([(0.2, 0), (0.4, 1), (0.8, 1), (0.8, 0.5), (0.9, 0)], type='PairWiseLoss',
                 loss_weight=3.0)  # fmt: skip
    weights = []
    for progress in (0, 0.2, 0.25, 0.4, 0.6, 0.8, 0.86, 0.9, 1):
        term.set_progress(progress)
        weights.append(term.weight)
    # A quarter of the way up at 0.25; at 0.8 the later point holds; 0.86 is 0.6 of the way down.
    assert weights == pytest.approx([0, 0, 0.75, 3, 3, 1.5, 0.6, 0, 0])


def test_the_loss_follows_the_schedule_and_is_off_at_0():
    torch.manual_seed(0)
    term = build([(0, 0), (1, 1)], type='PairWiseLoss')
    plain = build(type='PairWiseLoss')
    student, teacher = maps()
    for progress in (0.5, 1.0):
        term.set_progress(progress)
        whole = plain(student, teacher, None).item()
        assert term(student, teacher, None).item() == pytest.approx(progress * whole)
    term.set_progress(0)
    assert not term.is_on
    assert term(student, teacher, None).item() == 0


def test_agreement_is_the_share_of_pixels_of_the_same_class_at_the_smaller_size():
    # Classes of two rows of two pixels, as one-hot logits; the teacher's map is twice as large.
    student, teacher = torch.tensor([[[0, 1], [2, 1]]]), torch.tensor([[[0, 1], [2, 0]]])
    one_hot = [
        torch.nn.functional.one_hot(ids, 3).permute(0, 3, 1, 2) for ids in (student, teacher)
    ]
    larger = one_hot[1].float().repeat_interleave(2, 2).repeat_interleave(2, 3)
    trial = torch.zeros(1, 3, 4, 4), {'t': torch.zeros(1, 3, 2, 2)}
    term = Term('name', 's', 't', {'type': 'PixelKLLoss'}, trial)
    assert term.agreement(one_hot[0].float(), {'t': larger}) == 0.75


def test_a_schedule_that_nothing_drives_is_an_error_and_no_silent_weight():
    term = build([(0, 1), (1, 1)], type='PairWiseLoss')
    with pytest.raises(RuntimeError, match=r"Term 'name' has a schedule.*TermScheduleHook"):
        term(*maps(), None)


@pytest.mark.parametrize(
    'schedule',
    [
        [],
        [(0.5, 1), (0.1, 0)],
        [(0, 0), (0.5, 1), (0.2, 1)],
        [(0, 1, 2)],
        [(-0.1, 1)],
        [(0, 0), (1.5, 1)],
    ],
)
def test_a_schedule_that_is_none_is_an_error(schedule):
    with pytest.raises(ValueError, match=r"Term 'name': schedule is .* expected points"):
        build(schedule, type='PairWiseLoss')


def test_a_term_whose_teacher_was_dropped_is_zero():
    term = build(type='FitNetLoss', adapter='auto')
    student, _ = maps()
    loss = term(student, {'another.t': torch.zeros(2, 5, 4, 4)}, None)
    loss.backward()
    assert loss.item() == 0 and term.adapter.weight.grad is not None


def put_own_rank(rank, folder):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2
    )
    queue = ClassQueue(2, 8, 1)
    features = torch.tensor([[1.0, 10.0], [2.0, 20.0]])[:, :, None] + 100 * rank
    queue.enqueue(features, torch.tensor([[True, True], [True, rank == 0]]))
    torch.save(queue.state_dict(), f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_hold_one_memory(tmp_path):
    torch.multiprocessing.start_processes(
        put_own_rank, (str(tmp_path),), nprocs=2, start_method='fork'
    )
    first, second = (torch.load(tmp_path / f'{rank}.pth') for rank in range(2))
    assert first['features'][:, :, 0].tolist() == [
        [1, 2, 101, 102, 0, 0, 0, 0],
        [10, 20, 110, 0, 0, 0, 0, 0],
    ]
    assert first['seen'].tolist() == [4, 3]
    assert all(torch.equal(first[key], second[key]) for key in first)
