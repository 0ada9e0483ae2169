"""The frames of a video file or of a camera."""

import os
from collections.abc import Iterator

import cv2
import numpy as np
from cv2.utils import logging

SUFFIXES = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm', '.wmv')
CAMERA = 'camera:'  # and its number, as in camera:0
USUAL_RATE = 25.0  # frames per second, where a source does not tell its own
RATES = 1, 240  # OpenCV gives 1000 or -1, and counts to match, for files that state none


class VideoError(OSError):
    """A video that cannot be read, or not to its end."""


def is_video(source: str) -> bool:
    """Whether a path names a video file by its ending, or a camera."""
    return source.startswith(CAMERA) or source.lower().endswith(SUFFIXES)


class Video:
    """A video file or a camera, whose frames are read one after the other.

    Args:
        source: A file, or a camera as ``camera:0``.

    Attributes:
        live: Whether it is a camera.
        rate: Frames per second.
        count: Number of frames as the file states it; None if it does not, and of a camera.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A camera without a number.
        VideoError: A file that cannot be decoded, or no such camera.
    """

    def __init__(self, source: str) -> None:
        self.live = source.startswith(CAMERA)
        self._capture = _opened(source)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        is_stated = RATES[0] <= rate <= RATES[1]
        self.rate = rate if is_stated else USUAL_RATE
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.count = count if is_stated and count > 0 and not self.live else None

    def __iter__(self) -> Iterator[np.ndarray]:
        """The frames that are left: uint8 [H, W, 3], BGR."""
        try:
            while (read := self._capture.read())[0]:
                yield read[1]
        finally:
            self._capture.release()


def checked_source(source: str) -> int | str:
    """What OpenCV opens: the number of a camera, or the full path of a file.

    Raises:
        FileNotFoundError, ValueError: See :class:`Video`.
    """
    if source.startswith(CAMERA):
        number = source.removeprefix(CAMERA)
        if not number.isdecimal():
            raise ValueError(f'{source}: expected {CAMERA} and a number, as in {CAMERA}0.')
        return int(number)
    path = os.path.abspath(source)  # OpenCV would take other texts for addresses and devices
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{path} does not exist; expected a video file.')
    return path


def _opened(source: str) -> cv2.VideoCapture:
    place = checked_source(source)
    level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)  # the error below says it
    try:
        capture = cv2.VideoCapture(place)
    finally:
        logging.setLogLevel(level)
    if capture.isOpened():
        return capture
    if source.startswith(CAMERA):
        raise VideoError(f'{source}: no such camera, or another program uses it.')
    raise VideoError(f'{place}: damaged, or no video that OpenCV can decode.')
