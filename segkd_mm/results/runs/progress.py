"""What people see of a comparison while it runs."""

from threading import Lock
from time import monotonic
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from segkd_mm.results.tables import wide_console


class RunProgress:
    """A bar over the runs with the time left and what is under way; a line as each ends.

    Args:
        total: Number of runs.
        jobs: How many run at once.
    """

    def __init__(self, total: int, jobs: int) -> None:
        self.total, self.jobs = total, jobs
        self._began: dict[str, float] = {}
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

    def begin(self, name: str) -> None:
        """A run begins."""
        with self._lock:
            self._began[name] = monotonic()
            self._say(f'{name}: begins')

    def end(self, name: str, how: str) -> None:
        """A run ended, in one way or the other."""
        with self._lock:
            seconds = monotonic() - self._began.pop(name)
            self._seconds.append(seconds)
            self._say(f'{name}: {how}, after {clock(seconds)}')

    def _say(self, line: str) -> None:
        self._progress.console.print(line, soft_wrap=True, markup=False, highlight=False)
        now = ', '.join(self._began)
        about = f'{self._left()}{now}'
        self._progress.update(self._task, completed=len(self._seconds), description=about)

    def _left(self) -> str:
        """About how long it takes from now, by the mean of what ended."""
        if not self._seconds:
            return ''
        mean = sum(self._seconds) / len(self._seconds)
        left = mean * (self.total - len(self._seconds)) / self.jobs
        return f'about {clock(left)} left; '


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{seconds:02}'
