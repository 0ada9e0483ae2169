"""Validation loop that predicts large images in windows."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmengine.runner import Runner, ValLoop
from mmseg.registry import LOOPS

from segkd_mm.deploy.windows import in_windows
from segkd_mm.hooks.unwrap import unwrapped_model


@LOOPS.register_module()
class WindowValLoop(ValLoop):
    """mmengine's ``ValLoop`` with each image in windows, as ``tools/test.py --window`` has them.

    Args:
        window: Height and width of a window in pixels, a multiple of 32.
        overlap: Pixels that neighbours share, a multiple of 32; by default a quarter.
        *args: Of ``ValLoop``, which the runner gives.
        **kwargs: Likewise.

    Raises:
        ValueError: At the validation: see :func:`segkd_mm.deploy.windows.in_windows`.
    """

    def __init__(self, *args: Any, window: int, overlap: int | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.window, self.overlap = window, overlap

    def run(self) -> dict:
        """Validate once."""
        with _validated_in_windows(self.runner, self.window, self.overlap):
            return super().run()


@contextmanager
def _validated_in_windows(runner: Runner, window: int, overlap: int | None) -> Iterator[None]:
    model = unwrapped_model(runner)
    student = getattr(model, 'student', model)  # of a distiller
    with in_windows(student, window, overlap):
        runner.model.val_step = student.test_step
        try:
            yield
        finally:
            del runner.model.val_step
