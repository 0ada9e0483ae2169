"""Console progress of a few trainings side by side: a bar each, by the epochs in its log."""

from collections.abc import Mapping
from contextlib import suppress
from threading import Event, Thread
from time import monotonic
from types import TracebackType

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from segkd_mm.results.runs.cells import Cell
from segkd_mm.results.runs.progress import clock
from segkd_mm.results.tables import wide_console
from segkd_mm.results.training_log import read_log

SECONDS = 1.0  # between two looks at the logs


class TrainingProgress:
    """A bar for each training, and a line per start and end; for ``run_cells``.

    Args:
        cells: The trainings by the titles of their bars; their length is in epochs.
    """

    def __init__(self, cells: Mapping[str, Cell]) -> None:
        self._cells = {cell.name: cell for cell in cells.values()}
        self._titles = {cell.name: title for title, cell in cells.items()}
        self._starts: dict[str, float] = {}
        self._progress = Progress(
            TextColumn('{task.description:<20}'),
            BarColumn(),
            TextColumn('epoch'),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn('left'),
            TimeRemainingColumn(),
            console=wide_console(),
        )
        self._tasks = {}
        self._ended = Event()
        self._follower = Thread(target=self._follow, daemon=True)

    def __enter__(self) -> 'TrainingProgress':
        self._progress.start()
        self._follower.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._follower.join()
        self._progress.stop()

    def start(self, name: str) -> None:
        """Report that a training starts."""
        self._starts[name] = monotonic()
        self._print(f'{self._titles[name]}: training, log in {self._cells[name].work_dir}')
        epochs = self._cells[name].method.config.train_cfg.max_epochs
        self._tasks[name] = self._progress.add_task(self._titles[name], total=epochs)

    def finish(self, name: str, outcome: str) -> None:
        """Report that a training was tested, with its score or the reason why not."""
        self.update()
        seconds = clock(monotonic() - self._starts[name])
        self._print(f'{self._titles[name]}: {outcome}, after {seconds}')

    def update(self) -> None:
        """Move the bars to where the trainings are."""
        for name, task in [*self._tasks.items()]:
            self._progress.update(task, completed=epochs_done(self._cells[name]))

    def _follow(self) -> None:
        while not self._ended.wait(SECONDS):
            self.update()

    def _print(self, line: str) -> None:
        self._progress.console.print(line, soft_wrap=True, markup=False, highlight=False)


def epochs_done(cell: Cell) -> int:
    """The epochs of a training that its log has, 0 without one."""
    with suppress(FileNotFoundError):
        return int(read_log(cell.work_dir).train[-1]['epoch'])
    return 0
