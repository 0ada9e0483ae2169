"""A training of two processes, one of which is killed, goes on in one process."""

import json
import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest
import torch
from yapf.yapflib import yapf_api

from segkd_mm.cli import train  # noqa: F401  what the forks run
from segkd_mm.cli.main import main
from segkd_mm.config import load_config

CONFIG = """
_base_ = {base!r}
data_root = {shapes!r}
loader = dict(num_workers=0, persistent_workers=False)
dataset = dict(data_root=data_root, num_train=16, num_val=4)
train_dataloader = dict(batch_size=2, dataset=dict(indices=8, **dataset), **loader)
val_dataloader = dict(dataset=dataset, **loader)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=2)
default_hooks = dict(checkpoint=dict(interval=1))
model = dict(teacher=dict(checkpoint={teacher!r}))
"""


def start(folder: Path, rank: int, processes: int, port: int) -> int:
    """Train as one of several processes, in a fork; gives its id."""
    pid = os.fork()
    if pid:
        return pid
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(processes),
        MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
    )  # fmt: skip
    log = os.open(folder / f'{processes}_{rank}.log', os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        words = [str(folder / 'training.py'), '--work-dir', str(folder / 'work'), '--resume']
        os._exit(main(['train', *words, '--launcher', 'pytorch']))
    except BaseException as error:
        print(f'{type(error).__name__}: {error}', flush=True)
        os._exit(1)


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(('127.0.0.1', 0))
        return opened.getsockname()[1]


def code_of(pid: int) -> int:
    """Exit code of a fork that ends within a minute, negative for a signal."""
    end = time.monotonic() + 60
    while not (found := os.waitpid(pid, os.WNOHANG))[0]:
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    return os.waitstatus_to_exitcode(found[1])


def kill_and_resume(_, folder: Path) -> None:
    """In a process that has not used autograd, which does not go with forks."""
    torch.set_num_threads(1)
    yapf_api.FormatCode = lambda text, **_: (text, True)  # it takes half of a short training
    port = free_port()
    first, second = (start(folder, rank, 2, port) for rank in range(2))
    while not (folder / 'work/last_checkpoint').exists():
        assert os.waitpid(first, os.WNOHANG)[0] == 0, (folder / '2_0.log').read_text()
        time.sleep(0.02)
    os.kill(second, signal.SIGKILL)
    codes = [code_of(first), code_of(second), code_of(start(folder, 0, 1, free_port()))]
    (folder / 'codes.json').write_text(json.dumps(codes))


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason='with a GPU mmengine takes nccl')
def test_a_killed_process_ends_the_others_and_one_process_goes_on(shapes, teacher_file, tmp_path):
    base = load_config('kd/response_kd_shapes.py').filename
    text = CONFIG.format(base=base, shapes=str(shapes), teacher=str(teacher_file))
    (tmp_path / 'training.py').write_text(text)
    torch.multiprocessing.spawn(kill_and_resume, (tmp_path,))
    alone = (tmp_path / '1_0.log').read_text()
    assert json.loads((tmp_path / 'codes.json').read_text()) == [1, -9, 0], alone[-3000:]
    log = (tmp_path / '2_0.log').read_text()
    assert re.search('Connection (closed|reset) by peer', log), log[-3000:]
    # An epoch of 8 images has 2 batches of two processes, then 4 of one.
    last = torch.load(tmp_path / 'work/epoch_2.pth', weights_only=False)['meta']
    assert (last['epoch'], last['iter']) == (2, 2 + 4)
