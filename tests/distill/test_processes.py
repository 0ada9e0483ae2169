"""Several processes train as one process does with the same global batch."""

from copy import deepcopy

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from tiny_student import MODEL, tiny_student
from torch import nn

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


@pytest.mark.slow
@pytest.mark.parametrize('processes', [2, 4])
def test_losses_and_weights_are_those_of_one_process(processes, tmp_path):
    torch.save(tiny_student().state_dict(), tmp_path / 'teacher.pth')
    alone = distiller(tmp_path)
    before = deepcopy(alone.state_dict())
    losses = train(alone, range(BATCH))
    torch.multiprocessing.start_processes(
        train_as_one_of, (str(tmp_path), processes), nprocs=processes, start_method='fork'
    )
    found = [torch.load(tmp_path / f'{processes}_{rank}.pth') for rank in range(processes)]
    assert torch.tensor([each for each, _ in found]).mean(0).tolist() == pytest.approx(losses)
    assert any(not torch.equal(before[key], value) for key, value in alone.state_dict().items())
    for _, state in found:
        for key, value in alone.state_dict().items():
            torch.testing.assert_close(state[key], value, rtol=1e-6, atol=1e-6)
