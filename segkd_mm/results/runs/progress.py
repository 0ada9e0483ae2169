"""Console progress of a comparison's runs."""

from threading import Lock
from time import monotonic
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from segkd_mm.results.tables import wide_console


class RunProgress:
    """Progress bar with remaining time and active runs; prints a line per start and end of a run.

    Args:
        total: Number of runs.
        jobs: Number of runs at a time.
    """

    def __init__(self, total: int, jobs: int) -> None:
        self.total, self.jobs = total, jobs
        self._start_times: dict[str, float] = {}
        self._seconds: list[float] = []
        self._lock = Lock()
        self._progress = Progress(
            TextColumn('runs'),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn('{task.description}'),
            console=wide_console(),
        )
        self._task = self._progress.add_task('', total=total)

    def __enter__(self) -> 'RunProgress':
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def start(self, name: str) -> None:
        """Report that a run starts."""
        with self._lock:
            self._start_times[name] = monotonic()
            self._print(f'{name}: started')

    def finish(self, name: str, outcome: str) -> None:
        """Report that a run ended, with its score or the reason."""
        with self._lock:
            seconds = monotonic() - self._start_times.pop(name)
            self._seconds.append(seconds)
            self._print(f'{name}: {outcome}, after {clock(seconds)}')

    def _print(self, line: str) -> None:
        self._progress.console.print(line, soft_wrap=True, markup=False, highlight=False)
        description = f'{self._remaining()}{", ".join(self._start_times)}'
        self._progress.update(self._task, completed=len(self._seconds), description=description)

    def _remaining(self) -> str:
        """Estimated remaining time, from the mean time of finished runs."""
        if not self._seconds:
            return ''
        mean = sum(self._seconds) / len(self._seconds)
        remaining = mean * (self.total - len(self._seconds)) / self.jobs
        return f'about {clock(remaining)} left; '


def clock(seconds: float) -> str:
    """Format seconds as hours, minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{seconds:02}'
