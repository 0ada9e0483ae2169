"""Several processes train as one process does with the same global batch."""

from copy import deepcopy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from tiny_student import MODEL, tiny_student
from torch import nn

import segkd_mm  # noqa: F401  registers the components, in a spawned process, too

BATCH, STEPS = 4, 3
SAME = dict(student='backbone.layer2', teacher='backbone.layer2')
LOGITS = dict(student='decode_head.conv_seg', teacher='decode_head.conv_seg')
TERMS = dict(
    kl=dict(**LOGITS, loss=dict(type='PixelKLLoss', temperature=2.0)),
    cwd=dict(**LOGITS, loss=dict(type='ChannelWiseLoss', temperature=4.0)),
    feature=dict(**SAME, adapter='auto', loss=dict(type='CosineFeatureLoss')),
)


def distiller(folder):
    """A student that starts from a seed, in float64; its batch norms are fixed."""
    teacher = dict(type='Teacher', model=deepcopy(MODEL), checkpoint=f'{folder}/teacher.pth')
    torch.manual_seed(0)
    parts = dict(student=deepcopy(MODEL), teacher=teacher, terms=deepcopy(TERMS))
    model = MODELS.build(ConfigDict(type='SegDistiller', **parts)).double().train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.Dropout2d):
            module.eval()
    return model


def batch(step, images):
    """Some of the images of a global batch, with their labels."""
    random = torch.Generator().manual_seed(step)
    pixels = torch.randint(0, 256, (BATCH, 3, 96, 96), generator=random, dtype=torch.uint8)
    labels = torch.randint(0, 8, (BATCH, 1, 96, 96), generator=random)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=labels[number])) for number in images]
    return dict(inputs=[pixels[number] for number in images], data_samples=samples)


def train(model, images):
    """The losses of some steps."""
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9))
    return [
        model.train_step(batch(step, images), optimizer)['loss'].item() for step in range(STEPS)
    ]


def train_as_one_of(rank, folder, processes):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/{processes}', rank=rank, world_size=processes
    )
    model = distiller(folder)
    share = range(rank * BATCH // processes, (rank + 1) * BATCH // processes)
    losses = train(MMDistributedDataParallel(model, broadcast_buffers=False), share)
    torch.save((losses, model.state_dict()), f'{folder}/{processes}_{rank}.pth')
    torch.distributed.destroy_process_group()


def train_alone_and_together(_, folder):
    """In a process that has not used autograd, which does not go with forks."""
    torch.set_num_threads(1)
    init_default_scope('mmseg')
    torch.save(tiny_student().state_dict(), f'{folder}/teacher.pth')
    for processes in (2, 4):
        torch.multiprocessing.start_processes(
            train_as_one_of, (folder, processes), nprocs=processes, start_method='fork'
        )
    alone = distiller(folder)
    before = deepcopy(alone.state_dict())
    torch.save((train(alone, range(BATCH)), alone.state_dict(), before), f'{folder}/alone.pth')


@pytest.mark.slow
def test_losses_and_weights_are_those_of_one_process(tmp_path):
    torch.multiprocessing.spawn(train_alone_and_together, (str(tmp_path),))
    losses, weights, before = torch.load(tmp_path / 'alone.pth')
    assert any(not torch.equal(before[key], value) for key, value in weights.items())
    for processes in (2, 4):
        found = [torch.load(tmp_path / f'{processes}_{rank}.pth') for rank in range(processes)]
        assert torch.tensor([each for each, _ in found]).mean(0).tolist() == pytest.approx(losses)
        for _, state in found:
            for key, value in weights.items():
                torch.testing.assert_close(state[key], value, rtol=1e-6, atol=1e-6)
