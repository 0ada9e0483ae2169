"""A term whose loss has parameters, queues, or no need of the teacher's channels."""

import pytest
import torch

import segkd_mm  # noqa: F401  registers the losses
from segkd_mm.distill.term import Term
from segkd_mm.losses.modules.memory import ClassQueue

TRIAL = torch.zeros(1, 3, 4, 4), torch.zeros(1, 5, 2, 2)


def build(**loss):
    return Term('name', 's', 't', loss, TRIAL, adapter=loss.pop('adapter', None))


def test_auto_channels_of_a_loss_are_the_teachers():
    config = dict(type='MGDLoss', channels='auto', adapter='auto')
    term = build(**config)
    assert term.loss.generator[0].weight.shape[:2] == (5, 5)
    assert {name.split('.')[0] for name in term.state_dict()} == {'adapter', 'loss'}
    student, teacher = torch.randn(2, 3, 8, 8), torch.randn(2, 5, 4, 4)
    assert term(student, teacher, None) > 0


def test_a_loss_of_relations_takes_other_channels_without_an_adapter():
    term = build(type='PairWiseLoss')
    student, teacher = torch.randn(2, 3, 8, 8), torch.randn(2, 5, 4, 4)
    assert term(student, teacher, None) > 0
    with pytest.raises(ValueError, match="gives 3 channels, teacher tap 't' 5"):
        build(type='FitNetLoss')


def test_a_term_without_weight_keeps_all_its_parameters_in_the_graph():
    term = build(type='MGDLoss', channels='auto', adapter='auto', loss_weight=0.0)
    assert not term.is_on
    zero = term.zero(torch.randn(2, 3, 8, 8))
    zero.backward()
    assert zero.item() == 0
    gradients = [p.grad for p in term.parameters()]
    assert len(gradients) == 6
    assert all(g is not None and not g.any() for g in gradients)


def put_own_rank(rank, folder):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2
    )
    queue = ClassQueue(2, 8, 1)
    features = torch.tensor([[1.0, 10.0], [2.0, 20.0]])[:, :, None] + 100 * rank
    queue.put(features, torch.tensor([[True, True], [True, rank == 0]]))
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
