"""What CheckpointHook leaves at any moment is enough to go on, exactly."""

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.fileio import LocalBackend, put, put_text
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from segkd_mm.config import load_config
from segkd_mm.hooks import WholeCheckpointHook, checkpoint


class Killed(Exception):
    """Stands in for SIGKILL."""


class KillInValidation(Hook):
    priority = 'VERY_HIGH'

    def before_val_epoch(self, runner):
        if runner.epoch == 1:
            raise Killed


def run(config, *hooks):
    runner = Runner.from_cfg(config)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def test_mmengine_saves_whole_files(tmp_path, monkeypatch):
    file = tmp_path / 'a.pth'
    put(b'whole', file)
    full = OSError(errno.ENOSPC, 'No space left on device')

    def cut_short(path, content):
        with open(path, 'wb') as opened:
            opened.write(content[:1])
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'write_bytes', cut_short)
        with pytest.raises(OSError, match='No space left'):
            put(b'another', file)
    assert file.read_bytes() == b'whole'
    put_text('text', file)
    assert file.read_text() == 'text'
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']
    assert issubclass(checkpoint.local_backend.WholeFileBackend, LocalBackend)


@pytest.mark.slow
def test_a_validation_that_was_killed_is_done_when_the_training_goes_on(tiny):
    def config(name):
        made = tiny('student/mnv3s_slim_shapes.py', name)
        made.train_dataloader.dataset.indices = 8
        # The last learning rate depends on the validation of the first epoch.
        made.param_scheduler = load_config('student/mnv3s_slim_voc.py').param_scheduler
        made.param_scheduler.update(patience=-1, threshold=1000)
        made.default_hooks.checkpoint.update(max_keep_ckpts=1)
        return made

    straight = run(config('straight'))
    killed = config('killed')
    with pytest.raises(Killed):
        run(killed, KillInValidation())
    work = Path(killed.work_dir)
    assert not list(work.glob('best*'))
    resumed = config('killed')
    resumed.resume = True
    resumed = run(resumed)
    rates = [runner.optim_wrapper.param_groups[0]['lr'] for runner in (straight, resumed)]
    assert rates[0] == rates[1] < resumed.cfg.optim_wrapper.optimizer.lr
    state = resumed.model.state_dict()
    for key, tensor in straight.model.state_dict().items():
        assert torch.equal(tensor, state[key]), key
    assert [path.name for path in work.glob('epoch_*.pth')] == ['epoch_2.pth']
    assert (work / 'best.pth').is_file()
    assert [path.name for path in work.glob('.*')] == []


def test_an_epoch_goes_on_behind_the_images_that_other_processes_have_had():
    info = {}
    hub = SimpleNamespace(runtime_info=info, update_info=info.__setitem__)
    sampler = SimpleNamespace(start=0)
    loop = EpochBasedTrainLoop.__new__(EpochBasedTrainLoop)
    runner = SimpleNamespace(message_hub=hub, train_loop=loop, world_size=2, iter=6, epoch=1)

    def start_of_epoch(processes, iteration, epoch=1):
        runner.world_size, runner.iter, runner.epoch = processes, iteration, epoch
        loader = [None] * (24 // (2 * processes))  # batches of 24 images
        runner.train_dataloader = Loader(loader)
        runner.train_dataloader.sampler, runner.train_dataloader.batch_size = sampler, 2
        WholeCheckpointHook().before_train_epoch(runner)
        return sampler.start

    assert start_of_epoch(2, 6) == 0
    assert start_of_epoch(1, 10) == 16  # 4 batches of 2 processes
    assert start_of_epoch(2, 12) == 10  # and 2 of one
    assert start_of_epoch(4, 13, epoch=2) == 0


class Loader(list):
    """A list with the attributes of a data loader."""


def test_the_old_checkpoint_is_removed_when_the_new_one_is_there(tmp_path):
    hook = WholeCheckpointHook(by_epoch=False, interval=1, max_keep_ckpts=1)
    seen = []

    def save(folder, name, *_unused, **_named):
        seen.append(sorted(path.name for path in tmp_path.glob('*.pth')))
        Path(folder, name).touch()

    info = {'keep_ckpt_ids': ['../outside'], 'best_ckpt': '/etc/passwd'}
    hub = SimpleNamespace(runtime_info=info, update_info=info.__setitem__)
    logger = SimpleNamespace(info=print)
    runner = SimpleNamespace(
        work_dir=str(tmp_path), message_hub=hub, logger=logger, iter=0, epoch=0,
        save_checkpoint=save,
    )  # fmt: skip
    hook.before_train(runner)
    assert 'best_ckpt' not in info
    for runner.iter in range(3):
        hook._save_checkpoint(runner)
    stopped = hook.save_stopped(runner)
    assert (tmp_path / 'last_checkpoint').read_text() == str(stopped)
    runner.iter = 3
    hook._save_checkpoint(runner)
    assert seen == [
        [], ['iter_1.pth'], ['iter_2.pth'], ['iter_3.pth'], ['iter_3.pth', 'stopped_iter_3.pth'],
    ]  # fmt: skip
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_4.pth']
