"""A runner with a quiet console: all that libraries say goes to its log file alone."""

import logging
import warnings
from functools import partial
from pathlib import Path

import mmcv
import mmengine
import mmseg
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from segkd_mm.cli.cpu_processes import CPUProcesses

LIBRARIES = tuple(str(Path(library.__file__).parent) for library in (mmengine, mmcv, mmseg))


class QuietRunner(CPUProcesses, Runner):
    """Runner whose console shows errors and what this package and the user's modules say.

    Its log file has everything, Python warnings too.
    """

    def build_logger(self, *args, **kwargs) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        logger.handlers = [
            ConsoleHandler(handler.level) if type(handler) is logging.StreamHandler else handler
            for handler in logger.handlers
        ]
        warnings.showwarning = partial(_log_warning, logger)
        return logger


class ConsoleHandler(logging.StreamHandler):
    """Prints the messages of a log that are meant for the user.

    It has a stream, unused, as mmengine's MLflow backend expects of each handler.
    """

    def __init__(self, level: int) -> None:
        super().__init__()
        self.setLevel(level)
        self.addFilter(_is_for_user)

    def emit(self, record: logging.LogRecord) -> None:
        level = f'{record.levelname.lower()}: ' if record.levelno >= logging.WARNING else ''
        # Not to a stream that is kept: a progress bar stands in for it while it is shown.
        print(f'{level}{record.getMessage()}')


def _is_for_user(record: logging.LogRecord) -> bool:
    if getattr(record, 'only_in_file', False):
        return False
    return record.levelno >= logging.ERROR or not record.pathname.startswith(LIBRARIES)


def _log_warning(
    logger: MMLogger, message: Warning, category: type, filename: str, lineno: int, *_: object
) -> None:
    """Stands in for ``warnings.showwarning``."""
    text = f'{filename}:{lineno}: {category.__name__}: {message}'
    logger.warning(text, extra={'only_in_file': True})
