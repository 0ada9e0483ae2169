"""Videos of predictions: the classes of each frame as an overlay, with their names."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from time import monotonic

import cv2
import numpy as np
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from segkd_mm.files import written_aside
from segkd_mm.visualize.overlays import Palette, overlay

LEAST_SHARE = 0.005  # of a frame's pixels that a class needs to be named
CODEC = 'mp4v'  # the one of .mp4 that OpenCV's wheels can write


def named_overlay(
    image: np.ndarray, mask: np.ndarray, classes: Sequence[str], palette: Palette
) -> np.ndarray:
    """Blend a label map [H, W] with its image, RGB uint8 [H, W, 3], and name its classes.

    The names stand in the upper left corner, the largest class first, as many as there is room for.
    """
    picture = Image.fromarray(overlay(image, mask, palette))
    draw, line = ImageDraw.Draw(picture), max(12, picture.height // 24)
    shares = np.bincount(mask.ravel(), minlength=len(classes))[: len(classes)] / mask.size
    shown = [index for index in np.argsort(-shares, kind='stable') if shares[index] >= LEAST_SHARE]
    for row, index in enumerate(shown[: picture.height // line - 1]):
        left, top = line // 2, line // 2 + row * line
        box = [left, top, left + line * 0.7, top + line * 0.7]
        draw.rectangle(box, fill=tuple(palette[index]), outline='white')
        place, outlined = (left + line, top), dict(stroke_width=2, stroke_fill='black')
        draw.text(place, classes[index], fill='white', font=_font(line * 3 // 4), **outlined)
    return np.asarray(picture)


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(findfont('DejaVu Sans'), size)


class VideoFile:
    """An .mp4 file that frames are added to; its size is that of the first one."""

    def __init__(self, path: str, rate: float) -> None:
        self.path = path
        self.rate = rate
        self.frames = 0
        self._writer = None
        self._last = None
        self._start = 0.0

    def add(self, image: np.ndarray) -> None:
        """Add an image, RGB uint8 [H, W, 3].

        Raises:
            OSError: The file cannot be written.
            ValueError: The image has another size than the first one.
        """
        size = image.shape[1], image.shape[0]
        if self._last is not None and self._last.shape != image.shape:
            raise ValueError(
                f'Frame {self.frames} has {size[0]}x{size[1]} pixels, the first one '
                f'{self._last.shape[1]}x{self._last.shape[0]}: a video has one size.'
            )
        if self._writer is None:
            self._start = monotonic()
            self._writer = cv2.VideoWriter(
                self.path, cv2.VideoWriter.fourcc(*CODEC), self.rate, size
            )
        if not self._writer.isOpened():
            raise OSError(f'OpenCV cannot write {self.path} with {CODEC}, of {size[0]}x{size[1]}.')
        self._last = np.ascontiguousarray(image[..., ::-1])
        self._repeat()

    def fill_to(self, now: float) -> None:
        """Repeat the last image until the video is as long as the time since its first one.

        Args:
            now: Of ``time.monotonic``.
        """
        while self.frames < (now - self._start) * self.rate:
            self._repeat()

    def is_ahead(self, now: float) -> bool:
        """Whether the video is longer than the time since its first image already."""
        return self.frames > 0 and self.frames > (now - self._start) * self.rate + 1

    def _repeat(self) -> None:
        self._writer.write(self._last)
        self.frames += 1

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.release()

    def check_written(self) -> None:
        """Check that the closed file has all frames, as OpenCV tells of no failure to write.

        Raises:
            OSError: It has not.
        """
        written = int(cv2.VideoCapture(self.path).get(cv2.CAP_PROP_FRAME_COUNT))
        if written != self.frames:
            raise OSError(
                f'{self.path}: {max(written, 0)} of {self.frames} frames could be written. Is the '
                'disk full?'
            )


@contextmanager
def video_written(path: str | os.PathLike, rate: float) -> Iterator[VideoFile]:
    """Yields a video of ``rate`` frames per second; it is at ``path`` when the block ends.

    After an error there is no file.

    Raises:
        OSError: Not all frames could be written.
    """
    with written_aside(path) as aside:
        video = VideoFile(str(aside), rate)
        try:
            yield video
        finally:
            video.close()
        video.check_written()
