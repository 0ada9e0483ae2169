"""Predict video files and cameras: videos with the classes as an overlay."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

import numpy as np
from rich.progress import Progress

from segkd_mm.cli.timed_predictor import TimedPredictor
from segkd_mm.deploy.videos import CAMERA, Video, VideoError, checked_source
from segkd_mm.visualize.label_maps import write_label_map
from segkd_mm.visualize.overlays import picture_names
from segkd_mm.visualize.videos import VideoFile, named_overlay, video_written

WHOLE = 0.95  # of the frames that a file announces; the number in its header is often an estimate


def video_files(sources: Sequence[str], out: Path) -> dict[str, tuple[Path, Path]]:
    """Where the video of each source, a file or a camera, and the folder of its masks go.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A video would take the place of its source.
    """
    if not sources:
        return {}
    for source in sources:
        checked_source(source)
    cameras = [source for source in sources if source.startswith(CAMERA)]
    others = [source for source in sources if source not in cameras]
    names = dict(zip(others, picture_names(others), strict=True)) if others else {}
    names |= {camera: camera.replace(':', '_') for camera in cameras}
    files = {s: (out / f'{name}.mp4', out / 'masks' / name) for s, name in names.items()}
    for source, (file, _) in files.items():
        if os.path.realpath(source) == os.path.realpath(file):
            raise ValueError(f'{source} would be overwritten; choose another folder by --out')
    return files


def predict_video(
    predictor: TimedPredictor, source: str, path: Path, masks: Path | None, progress: Progress
) -> str:
    """Write the video of a source, and its label maps as ``masks``/000000.png and so on.

    A label map has the number of the frame in the video. A camera is recorded until Ctrl-C, at the
    speed of real time: frames are repeated or left out.

    Returns:
        What was written, in a line.

    Raises:
        OSError: The video cannot be written.
        VideoError: The source cannot be read, or not to its end, or a recording ended by an error;
            what was read is written then.
    """
    video = Video(source)
    if video.live:
        progress.console.print(f'{source}: recording; Ctrl-C ends it')
    fault = None
    with video_written(path, video.rate) as file:
        try:
            for frame in _shown(video, progress):
                if video.live and file.is_ahead(monotonic()):
                    continue
                _add(predictor, frame, file, masks and masks / f'{file.frames:06}.png')
                if video.live:
                    file.fill_to(monotonic())
        except KeyboardInterrupt:
            if not video.live:
                raise
        except Exception as error:  # what was recorded cannot be recorded again
            if not (video.live and file.frames):
                raise
            fault = error
        if not file.frames:
            raise VideoError(f'{source}: not one frame could be decoded.')
    if fault:
        raise VideoError(f'{source}: {fault}. {file.frames} frames are in {path}') from fault
    if video.count and file.frames < WHOLE * video.count:
        raise VideoError(f'{source}: damaged: {file.frames} of {video.count} frames are in {path}')
    return f'{path}: {file.frames} frames, {file.frames / video.rate:.1f} s'


def _shown(video: Video, progress: Progress) -> Iterator[np.ndarray]:
    """The frames of a video with a bar."""
    return progress.track(video, total=video.count, description='frames')


def _add(predictor: TimedPredictor, frame: np.ndarray, file: VideoFile, mask: Path | None) -> None:
    """Add the picture of a frame, BGR [H, W, 3], to a video, and write its label map."""
    labels = predictor.predict(frame)
    file.add(named_overlay(frame[..., ::-1], labels, predictor.classes, predictor.palette))
    if mask:
        write_label_map(mask, labels, predictor.palette)
