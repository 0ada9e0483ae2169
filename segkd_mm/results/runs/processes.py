"""Subprocesses of a comparison, which can all be stopped together."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

LAST_LINES = 12
TERMINATE_SECONDS = 10  # between SIGTERM and SIGKILL


class ProcessFailed(RuntimeError):
    """Error of a failed process; names its log file and shows the end of it."""


class ProcessStopped(RuntimeError):
    """Error of a process that was stopped, or not started after :meth:`Processes.stop`."""


class Processes:
    """Runs commands as subprocesses, from any number of threads, until :meth:`stop`."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen] = set()
        self._lock = Lock()
        self._stopped = False

    def run(self, command: Sequence[str], log: Path, variables: Mapping[str, str]) -> None:
        """Run a command and wait for its end.

        Args:
            command: Program and arguments.
            log: File to which its output is appended.
            variables: Environment variables in addition to those of this process.

        Raises:
            ProcessFailed: The exit code is not 0.
            ProcessStopped: The process was stopped.
        """
        with log.open('ab') as output:
            process = self._start(command, output, {**os.environ, **variables})
            try:
                code = process.wait()
            finally:
                with self._lock:
                    self._running.discard(process)
        if self._stopped:
            raise ProcessStopped
        if code:
            raise ProcessFailed(f'exit code {code}; the end of {log}:\n{_tail(log)}')

    def _start(self, command: Sequence[str], output, environment: dict) -> subprocess.Popen:
        with self._lock:
            if self._stopped:
                raise ProcessStopped
            # In its own session, Ctrl-C does not reach it and its workers; stop() ends them.
            process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=environment,
                start_new_session=True,
            )  # fmt: skip
            self._running.add(process)
            return process

    def stop(self) -> None:
        """End all processes and their workers, and prevent new ones."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _end(process, force=False)
        for process in running:
            try:
                process.wait(TERMINATE_SECONDS)
            except subprocess.TimeoutExpired:
                _end(process, force=True)


def _end(process: subprocess.Popen, force: bool) -> None:
    if os.name == 'nt':  # has no groups of processes
        process.kill()
        return
    with suppress(ProcessLookupError):  # it has already ended
        os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)


def _tail(log: Path) -> str:
    lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    return '\n'.join(f'    {line}' for line in lines[-LAST_LINES:])
