"""Several processes train as one process does with the same global batch."""

from copy import deepcopy
from logging import getLogger
from types import SimpleNamespace

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
from segkd_mm.hooks import FreezeHook, ShardTeacherHook
from segkd_mm.hooks.unwrap import unwrapped_model

BATCH, STEPS = 4, 3
SAME = dict(student='backbone.layer2', teacher='backbone.layer2')
LOGITS = dict(student='decode_head.conv_seg', teacher='decode_head.conv_seg')
TERMS = dict(
    kl=dict(**LOGITS, loss=dict(type='PixelKLLoss', temperature=2.0)),
    cwd=dict(**LOGITS, loss=dict(type='ChannelWiseLoss', temperature=4.0)),
    feature=dict(**SAME, adapter='auto', loss=dict(type='CosineFeatureLoss')),
    # Nothing is drawn at random: no position is masked, and all that is queued is a key.
    mgd=dict(**SAME, loss=dict(type='MGDLoss', channels='auto', mask_ratio=0.0)),
    memory=dict(
        **SAME,
        loss=dict(
            type='CIRKDMemoryLoss', num_classes=8, channels='auto', pixels=400, regions=20,
            pixel_keys=3200, region_keys=160,
        ),
    ),
    off=dict(**SAME, adapter=dict(type='Conv2d', in_channels=16, out_channels=16, kernel_size=1),
             loss=dict(type='FitNetLoss', loss_weight=0.0)),
)  # fmt: skip


def distiller(folder):
    """A student that starts from a seed, in float64; its batch norms are fixed.

    Losses compute in float32, and so do their generator and their queues.
    """
    teacher = dict(type='Teacher', model=deepcopy(MODEL), checkpoint=f'{folder}/teacher.pth')
    torch.manual_seed(0)
    parts = dict(student=deepcopy(MODEL), teacher=teacher, terms=deepcopy(TERMS))
    model = MODELS.build(ConfigDict(type='SegDistiller', **parts)).double().train()
    for term in model.terms.values():
        term.loss.float()
    model.terms.memory.loss.pixels_per_image = 144  # all
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
    """The losses of some steps; the hooks freeze the stem, and split the teacher if there are two.

    Both come after the model was wrapped.
    """
    runner = SimpleNamespace(
        model=model, cfg={}, wrap_model=lambda _, model: wrapped(model), logger=getLogger()
    )
    FreezeHook(3, 'keep').before_train(runner)
    if torch.distributed.is_initialized() and torch.distributed.get_world_size() == 2:
        ShardTeacherHook(['backbone.layer1', 'backbone.layer2']).before_train(runner)
        weights = unwrapped_model(runner).teacher.parameters()
        assert all(isinstance(weight, torch.distributed.tensor.DTensor) for weight in weights)
    model = runner.model
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9))
    return [
        model.train_step(batch(step, images), optimizer)['loss'].item() for step in range(STEPS)
    ]


def wrapped(model):
    return MMDistributedDataParallel(model, broadcast_buffers=False)


def train_as_one_of(rank, folder, processes):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/{processes}', rank=rank, world_size=processes
    )
    model = distiller(folder)
    share = range(rank * BATCH // processes, (rank + 1) * BATCH // processes)
    losses = train(wrapped(model), share)
    torch.save((losses, model.state_dict()), f'{folder}/{processes}_{rank}.pth')
    torch.distributed.destroy_process_group()


def train_alone_and_together(_, folder):
    """In a process that has not used autograd, which does not go with forks."""
    import torch.distributed.fsdp  # once, before the forks

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
    moved = {key for key, value in weights.items() if not torch.equal(before[key], value)}
    assert moved > {'terms.mgd.loss.generator.0.weight', 'terms.memory.loss.pixels.features'}
    assert not {'backbone.conv1.weight', 'terms.off.adapter.weight'} & moved
    for processes in (2, 4):
        found = [torch.load(tmp_path / f'{processes}_{rank}.pth') for rank in range(processes)]
        assert torch.tensor([each for each, _ in found]).mean(0).tolist() == pytest.approx(losses)
        for _, state in found:
            assert state.keys() == weights.keys()
            for key, value in weights.items():
                if key.endswith('features'):  # each process queues its pixels in a random order
                    value, state[key] = value.sort(1)[0], state[key].sort(1)[0]
                torch.testing.assert_close(state[key], value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ('model', 'match'),
    [
        (nn.Module(), 'is for a SegDistiller'),
        (SimpleNamespace(teacher=SimpleNamespace(model=nn.Sequential(nn.ReLU()))), "no module 'x'"),
    ],
)
def test_a_part_of_the_teacher_that_does_not_exist_is_named_in_one_process_too(model, match):
    with pytest.raises(ValueError, match=match):
        ShardTeacherHook(['0', 'x']).before_train(SimpleNamespace(model=model))
