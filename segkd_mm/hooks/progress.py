"""Hook that shows a progress bar of a training in the terminal."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@HOOKS.register_module()
class ProgressHook(Hook):
    """Show a progress bar with iterations, remaining time, loss and the last validation mIoU.

    Args:
        title: Text before the bar.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.progress = Progress(
            TextColumn('{task.description:<20}'),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn('{task.fields[scores]}'),
        )

    def before_train(self, runner: Runner) -> None:
        self.miou = ''
        self.task = self.progress.add_task(self.title, total=runner.max_iters, scores='')
        self.progress.start()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        loss = f'loss {outputs["loss"].item():.2f}'
        self.progress.update(self.task, completed=runner.iter + 1, scores=f'{loss}{self.miou}')

    def after_train_epoch(self, runner: Runner) -> None:
        # In a log file or a pipe the bar is not shown.
        if not self.progress.console.is_terminal:
            print(f'{self.title}: epoch {runner.epoch + 1} of {runner.max_epochs}{self.miou}')

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        if 'mIoU' in metrics:
            self.miou = f'  mIoU {metrics["mIoU"]:.1f}'

    def after_run(self, runner: Runner) -> None:
        self.progress.stop()
