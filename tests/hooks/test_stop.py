"""A training that a signal stopped within an epoch goes on exactly."""

import os
import signal

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from segkd_mm.hooks import StopHook, Stopped


class SendAt(Hook):
    """Send this process a signal in one iteration."""

    def __init__(self, iteration, number):
        self.iteration, self.number = iteration, number

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            os.kill(os.getpid(), self.number)


def train(config, *hooks):
    runner = Runner.from_cfg(config)
    stop = StopHook()
    for hook in (*hooks, stop):
        runner.register_hook(hook)
    try:
        runner.train()
    finally:
        stop.end()
    return runner


def by_epoch(config):
    """Two epochs of two batches; the second iteration is the first of an optimizer's step."""
    config.optim_wrapper.accumulative_counts = 3
    config.custom_hooks.append({'type': 'EMAHook', 'momentum': 0.1})


def by_iteration(config):
    config.train_dataloader.sampler.type = 'ReplayInfiniteSampler'
    config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=4, val_interval=3)
    config.param_scheduler.update(by_epoch=False)
    config.param_scheduler.pop('convert_to_iter_based', None)
    config.default_hooks.checkpoint.update(by_epoch=False, interval=4)


@pytest.mark.slow
@pytest.mark.parametrize('loop', [by_epoch, by_iteration])
def test_a_stopped_training_goes_on_to_the_same_weights(tiny, loop):
    def config(run):
        made = tiny('student/mnv3s_slim_shapes.py', run)
        made.train_dataloader.dataset.indices = 8
        loop(made)
        return made

    handlers = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    straight = train(config('straight'))
    stopped = config('stopped')
    file = f'{stopped.work_dir}/stopped_iter_3.pth'
    says = f'after iteration 3 of 4, which is saved in {file}. .*--work-dir .* --resume'
    with pytest.raises(Stopped, match=says) as raised:
        train(stopped, SendAt(1 if loop is by_epoch else 2, signal.SIGTERM))
    assert raised.value.code == 143
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == handlers

    resumed = config('stopped')
    resumed.resume = True
    resumed = train(resumed)
    assert resumed.iter == 4
    state = resumed.model.state_dict()
    for key, tensor in straight.model.state_dict().items():
        assert torch.equal(tensor, state[key]), key
    scores = [
        one.message_hub.get_scalar('val/mIoU').data[0].tolist() for one in (straight, resumed)
    ]
    assert scores[0] == scores[1]
    assert not os.path.exists(file)


@pytest.fixture
def interrupt():
    """Python's own handler of Ctrl-C, which is not there when the tests run in the background."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


def test_a_second_signal_ends_at_once(interrupt):
    hook = StopHook()
    hook.before_train(None)
    os.kill(os.getpid(), signal.SIGINT)
    assert hook.signal == signal.SIGINT
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_a_launcher_repeats_is_one(interrupt, monkeypatch):
    monkeypatch.setattr('segkd_mm.hooks.stop.is_distributed', lambda: True)
    hook = StopHook()
    hook.before_train(None)
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
    hook.first -= 6  # seconds
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_the_shell_ignores_stays_ignored(interrupt):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hook = StopHook()
    hook.before_train(None)
    os.kill(os.getpid(), signal.SIGINT)
    hook.end()
    assert not hook.signal
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_workers_of_loaders_work_on_until_the_end():
    hook = StopHook()
    hook.before_train(None)
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGTERM)  # not yet
        hook.end()
        hook.before_train(None)
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    hook.end()
    assert os.WTERMSIG(status) == signal.SIGTERM
