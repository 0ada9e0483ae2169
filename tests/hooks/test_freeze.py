import re
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from segkd_mm.hooks import FreezeHook

CONFIG = 'student/mnv3s_slim_shapes.py'
KD = 'kd/response_kd_shapes.py'


def run(config, first, norm_stats='keep') -> Runner:
    config.custom_hooks.append({'type': 'FreezeHook', 'first': first, 'norm_stats': norm_stats})
    config.train_cfg.update(max_epochs=1, val_interval=5)
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


@pytest.fixture
def start(tiny):
    """The model as the run starts."""
    return lambda name: Runner.from_cfg(tiny(name, 'start')).model.state_dict()


def changed(start: dict, runner: Runner) -> set[str]:
    end = runner.model.state_dict()
    return {key for key in start if not torch.equal(start[key], end[key])}


# Of MobileNetV3-Small: the stem (conv, scale, shift), then the first block's depthwise conv, scale
# and shift. Tensor 5 is thus the scale of the second batch norm, whose shift goes on training.
STEM = {'backbone.body.0.0.weight', 'backbone.body.0.1.weight', 'backbone.body.0.1.bias'}
SECOND = {'backbone.body.1.block.0.0.weight', 'backbone.body.1.block.0.1.weight'}


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'norm_stats'), [(CONFIG, 'update'), (KD, 'keep')])
def test_the_first_tensors_stay_the_next_one_learns_and_the_log_says_so(
    name, norm_stats, tiny, start
):
    before = start(name)
    runner = run(tiny(name, log_level='INFO'), 5, norm_stats)
    moved = changed(before, runner)
    assert moved.isdisjoint(STEM | SECOND)
    assert 'backbone.body.1.block.0.1.bias' in moved
    for norm in ('0.1', '1.block.0.1'):
        assert (f'backbone.body.{norm}.running_mean' in moved) == (norm_stats == 'update')
    assert 'backbone.body.1.block.2.1.running_mean' in moved  # of a norm that is not frozen

    (log,) = Path(runner.log_dir).glob('*.log')
    (said,) = [line for line in log.read_text().splitlines() if 'FreezeHook froze' in line]
    # 3·3·3·16 + 16 + 16 of the stem, 3·3·16 + 16 of the block.
    assert 'froze 5 of 169 parameter tensors (624 of ' in said
    first, last = re.search(r', (\S+) to ([^\s;]+)', said).groups()
    assert first.endswith('backbone.body.0.0.weight')
    assert last.endswith('backbone.body.1.block.0.1.weight')
    assert ('2 batch norms keep their statistics' in said) == (norm_stats == 'keep')


@pytest.mark.parametrize('first', [0, -1, 10_000])
def test_a_number_of_tensors_that_there_is_not_is_an_error(first, tiny):
    with pytest.raises(ValueError, match=rf'first is {first}, expected 1 to 169'):
        run(tiny(CONFIG), first)


def test_another_choice_of_statistics_is_an_error():
    with pytest.raises(ValueError, match="'freeze', expected 'keep' or 'update'"):
        FreezeHook(5, 'freeze')


@pytest.mark.slow
def test_ddp_does_not_wait_for_what_is_frozen(tiny):
    torch.distributed.init_process_group(
        'gloo', store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    try:
        config = tiny(CONFIG)
        runner = Runner.from_cfg(config)
        runner.model = torch.nn.parallel.DistributedDataParallel(runner.model)
        runner.wrap_model = lambda cfg, model: torch.nn.parallel.DistributedDataParallel(model)
        FreezeHook(5, 'keep').before_train(runner)
        for _ in range(2):  # DDP raises in the step after one that left a gradient out
            runner.model(torch.randn(2, 3, 64, 64)).sum().backward()
    finally:
        torch.distributed.destroy_process_group()
