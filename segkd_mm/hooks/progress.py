"""Hooks that show a training or a test in the terminal: a progress bar, and lines to read."""

from datetime import timedelta
from numbers import Real

import torch
from mmengine.dist import is_main_process, master_only
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import EpochBasedTrainLoop, Runner
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from segkd_mm.hooks.unwrap import unwrapped_model


class TrainingLinesHook(Hook):
    """Show what is trained, then a line at each interval of the log and one a validation.

    In a terminal there is a progress bar below the lines. :meth:`stop` ends it after an error.
    """

    priority = 'LOWEST'  # after CheckpointHook, which knows whether a score is the best

    def __init__(self) -> None:
        self.progress = _bar()
        # In a log file or a pipe the lines are enough.
        self.progress.disable = not (is_main_process() and self.progress.console.is_terminal)

    @master_only
    def before_train(self, runner: Runner) -> None:
        print(summary(runner))
        self.task = self.progress.add_task(
            'training', total=runner.max_iters, completed=runner.iter
        )
        self.progress.start()

    @master_only
    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        self.progress.update(self.task, completed=runner.iter + 1)
        if is_logged(runner, batch_idx):
            print(iteration_line(runner))

    @master_only
    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        print(validation_line(runner, metrics))

    def after_run(self, runner: Runner) -> None:
        self.stop()

    def stop(self) -> None:
        """End the bar; a terminal would otherwise stay without a cursor."""
        self.progress.stop()


class TestBarHook(Hook):
    """Show a progress bar of a test."""

    def __init__(self) -> None:
        self.progress = _bar(disable=not is_main_process(), transient=True)

    def before_test_epoch(self, runner: Runner) -> None:
        self.task = self.progress.add_task('testing', total=len(runner.test_dataloader))
        self.progress.start()

    def after_test_iter(self, runner: Runner, batch_idx: int, *_, **__) -> None:
        self.progress.update(self.task, completed=batch_idx + 1)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self.stop()

    def stop(self) -> None:
        """End the bar."""
        self.progress.stop()


def summary(runner: Runner) -> str:
    """What is trained, on what, for how long and where the log is: one line each."""
    data = runner.train_dataloader
    batches = f' in batches of {data.batch_size}' if data.batch_size else ''
    val = f'{len(runner.val_loop.dataloader.dataset):,} for validation' if runner.val_loop else ''
    length = f'{runner.max_iters:,} iterations'
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        length = f'{runner.max_epochs} epoch{"s" * (runner.max_epochs > 1)}, {length}'
    start = f'; going on after {runner.iter:,}' if runner.iter else ''
    return (
        f'Model:   {_model(unwrapped_model(runner))}\n'
        f'Images:  {len(data.dataset):,} for training{batches}; {val or "no validation"}\n'
        f'Length:  {length}{start}\n'
        f'Device:  {_device(runner)}\n'
        f'Log:     {runner.logger.log_file}'
    )


def iteration_line(runner: Runner) -> str:
    """Iteration, time left, loss by term, learning rate, time and memory.

    Losses and times are means over the window of mmengine's log.
    """
    hub, done = runner.message_hub, runner.iter + 1
    window = runner.log_processor.window_size
    scalars = {
        key.removeprefix('train/'): buffer.mean(window) if 'lr' not in key else buffer.current()
        for key, buffer in hub.log_scalars.items()
        if key.startswith('train/')
    }
    terms = [f'{_term(key)} {value:.3f}' for key, value in scalars.items() if _is_term(key)]
    parts = [
        f'iter {done:>{len(str(runner.max_iters))}}/{runner.max_iters}',
        f'ETA {timedelta(seconds=int(hub.get_info("eta", 0)))}',
        f'loss {scalars["loss"]:.3f}' + (f' = {" + ".join(terms)}' if terms[1:] else ''),
        f'lr {scalars["lr"]:.1e}' if 'lr' in scalars else '',
        f'{scalars["time"]:.2f} s/iter' if 'time' in scalars else '',
        f'{torch.cuda.max_memory_reserved() >> 20} MiB' if torch.cuda.is_available() else '',
    ]
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        parts.insert(0, f'epoch {runner.epoch + 1}/{runner.max_epochs}')
    return '  '.join(filter(None, parts))


def validation_line(runner: Runner, metrics: dict[str, float]) -> str:
    """The scores of a validation, and whether one is the best so far."""
    numbers = {key: float(value) for key, value in metrics.items() if isinstance(value, Real)}
    scores = '  '.join(f'{key} {value:.2f}' for key, value in numbers.items())
    best = runner.message_hub.runtime_info.get('best_score')
    return f'validation  {scores}{"  (best so far)" if best in numbers.values() else ""}'


def _bar(**options) -> Progress:
    title = TextColumn('{task.description:<20}')
    return Progress(title, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), **options)


def is_logged(runner: Runner, batch_idx: int) -> bool:
    """Whether mmengine's log has a line of this iteration, or would have where there is none."""
    loggers = [hook for hook in runner.hooks if isinstance(hook, LoggerHook)]
    logger = loggers[0] if loggers else LoggerHook()
    at_end = logger.end_of_epoch(runner.train_dataloader, batch_idx)
    return at_end or logger.every_n_inner_iters(batch_idx, logger.interval)


def _model(model: nn.Module) -> str:
    student = getattr(model, 'student', model)
    parameters = sum(parameter.numel() for parameter in student.parameters())
    named = f'{type(student).__name__}, {parameters:,} parameters'
    terms = ', '.join(getattr(model, 'terms', {}))
    return f'{named}; taught by {terms}' if terms else named


def _device(runner: Runner) -> str:
    device = next(unwrapped_model(runner).parameters()).device
    if device.type == 'cuda':
        return f'{torch.cuda.get_device_name(device)}, {runner.world_size} in all'
    return f'{device}, {torch.get_num_threads()} threads'


def _is_term(key: str) -> bool:
    if key.startswith('terms.'):
        return key.endswith('.loss')  # not the weight of a term whose name has `loss` in it
    return 'loss' in key and key != 'loss'


def _term(key: str) -> str:
    """A short name: ``mid`` of ``terms.mid.loss``, ``decode.ce`` of ``decode.loss_ce``."""
    return key.removeprefix('terms.').removesuffix('.loss').replace('loss_', '')
