from types import SimpleNamespace
from uuid import uuid4

import pytest
from mmengine.logging import MessageHub
from torch import nn

from segkd_mm.hooks.progress import TrainingLinesHook, iteration_line, validation_line


@pytest.fixture
def runner():
    """A runner in its third of 40 iterations, as far as the lines need one."""
    hub = MessageHub.get_instance(uuid4().hex)
    for loss in (9.0, 3.0, 2.0):
        hub.update_scalar('train/loss', loss)
        hub.update_scalar('train/decode.loss_ce', loss - 0.5)
        hub.update_scalar('train/terms.mid.loss', 0.5)
        hub.update_scalar('train/decode.acc_seg', 50.0)
        hub.update_scalar('train/time', 0.25)
        hub.update_scalar('train/lr', 1e-3 / loss)
    hub.update_info('eta', 3725.4)
    return SimpleNamespace(
        message_hub=hub, iter=2, max_iters=40, log_processor=SimpleNamespace(window_size=2),
        train_loop=None, hooks=[], train_dataloader=range(40), model=nn.Identity(),
    )  # fmt: skip


def test_a_line_has_the_means_of_the_window_and_the_current_rate(runner, monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)
    assert iteration_line(runner) == (
        'iter  3/40  ETA 1:02:05  loss 2.500 = decode.ce 2.000 + mid 0.500  lr 5.0e-04  0.25 s/iter'
    )


def test_a_validation_says_which_is_the_best(runner):
    scores = {'mIoU': 43.21, 'aAcc': 90.1, 'per_class': [1]}
    assert validation_line(runner, scores) == 'validation  mIoU 43.21  aAcc 90.10'
    runner.message_hub.update_info('best_score', 43.21)
    assert validation_line(runner, scores).endswith('aAcc 90.10  (best so far)')


def test_lines_come_at_the_interval_of_the_log_and_at_the_end_of_an_epoch(runner, capsys):
    hook = TrainingLinesHook()
    hook.task = hook.progress.add_task('')
    for iteration in range(40):
        runner.iter = iteration
        hook.after_train_iter(runner, iteration)
    starts = [line.split('/')[0] for line in capsys.readouterr().out.splitlines()]
    assert starts == ['iter 10', 'iter 20', 'iter 30', 'iter 40']
