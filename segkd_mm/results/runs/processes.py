"""Processes that a comparison starts, and stops when it is stopped."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

LAST_LINES = 12
PATIENCE = 10  # seconds between asking a process to stop and stopping it


class ProcessFailed(RuntimeError):
    """A process ended with an error; says where its log is and how that ends."""


class Stopped(RuntimeError):
    """A process was stopped, or not begun any more."""


class Processes:
    """Run commands from any number of threads; :meth:`stop` ends those that run and all to come."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen] = set()
        self._lock = Lock()
        self._stopped = False

    def run(self, command: Sequence[str], log: Path, variables: Mapping[str, str]) -> None:
        """Run a command to its end, its output at the end of a log.

        Args:
            command: Its words.
            log: File to which its output is added.
            variables: Of the environment, beside those of this process.

        Raises:
            ProcessFailed: It failed.
            Stopped: It was stopped.
        """
        with log.open('ab') as output:
            child = self._start(command, output, {**os.environ, **variables})
            try:
                code = child.wait()
            finally:
                with self._lock:
                    self._running.discard(child)
        if self._stopped:
            raise Stopped
        if code:
            raise ProcessFailed(f'exit code {code}; the end of {log}:\n{_tail(log)}')

    def _start(self, command: Sequence[str], output, environment: dict) -> subprocess.Popen:
        with self._lock:
            if self._stopped:
                raise Stopped
            # In a session of its own, Ctrl-C reaches it through stop() alone, with its workers.
            child = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment,
                start_new_session=True,
            )  # fmt: skip
            self._running.add(child)
            return child

    def stop(self) -> None:
        """End all processes and their workers."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for child in running:
            _signal(child, signal.SIGTERM)
        for child in running:
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                _signal(child, signal.SIGKILL)


def _signal(child: subprocess.Popen, number: int) -> None:
    with suppress(ProcessLookupError):  # it may just have ended
        os.killpg(child.pid, number)


def _tail(log: Path) -> str:
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    return '\n'.join(f'    {line}' for line in lines[-LAST_LINES:])
