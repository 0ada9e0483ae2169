"""What tests of the tools share: scripts run in this process, as their command lines run them."""

import logging
import os
import runpy
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import pytest

from segkd_mm.results.runs.processes import Processes, ProcessFailed

REPO = Path(__file__).resolve().parents[2]


class Done(NamedTuple):
    """How a script ended: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> Callable[..., Done]:
    """``script('tools/train.py', *words, cwd=REPO)``, without the seconds that imports take."""

    def run(path: str, *words: object, cwd: Path = REPO) -> Done:
        command = [str(REPO / path), *map(str, words)]
        monkeypatch.setattr(sys, 'argv', command)
        monkeypatch.setattr(sys, 'orig_argv', ['python', *command])
        monkeypatch.syspath_prepend(REPO / path.split('/')[0])  # as python does
        monkeypatch.chdir(cwd)
        capfd.readouterr()
        code = _run(command[0])
        return Done(code, *capfd.readouterr())

    environment = dict(os.environ)
    with warnings.catch_warnings():
        yield run
    # What a process would have taken with it.
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tools that a tool starts run in this process, too, one at a time."""
    lock = Lock()

    def run(_, command: list[str], log: Path, variables: dict) -> None:
        with lock, log.open('a') as output, redirect_stdout(output), redirect_stderr(output):
            logging.disable(logging.NOTSET)  # what the first one silenced
            monkeypatch.setattr(sys, 'argv', command[1:])
            code = _run(command[1])
        if code:
            raise ProcessFailed(f'exit code {code}; the end of {log}:\n{log.read_text()}')

    monkeypatch.setattr(Processes, 'run', run)


def _run(path: str) -> int:
    try:
        runpy.run_path(path, run_name='__main__')
    except SystemExit as exit_:
        if exit_.code is None or isinstance(exit_.code, int):
            return exit_.code or 0
        print(exit_.code, file=sys.stderr)
        return 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0
