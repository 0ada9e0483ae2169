"""Files that are either whole or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_aside(path: str | os.PathLike) -> Iterator[Path]:
    """Give a file beside ``path`` to write to; it takes the place of ``path`` when all went well.

    After an error, ``path`` is as it was and the file beside it is gone. Missing folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The ending stays last: image writers take the format from it.
    aside = path.with_name(f'.{path.stem}.{os.getpid()}{path.suffix}')
    try:
        yield aside
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
