"""Predict images and videos: pictures or videos with the classes as an overlay."""

import os
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from mmengine.device import get_device
from mmseg.models.segmentors.base import BaseSegmentor
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

from segkd_mm.cli.predict_video import predict_video, video_files
from segkd_mm.cli.timed_predictor import TimedPredictor
from segkd_mm.config import load_config
from segkd_mm.datasets import SampleError
from segkd_mm.deploy import in_windows, load
from segkd_mm.deploy.images import find_images
from segkd_mm.deploy.videos import VideoError, is_video
from segkd_mm.visualize.band_pictures import read_picture
from segkd_mm.visualize.label_maps import write_label_map
from segkd_mm.visualize.overlays import picture_names, prediction_picture


class PerSecond(ProgressColumn):
    """A column of a progress bar: images, frames or windows per second."""

    def render(self, task: Task) -> Text:
        seconds = task.elapsed or 1
        rate = task.finished_speed or task.speed or task.completed / seconds  # of a single step
        return Text(f'{rate:.1f} {task.description}/s')


def output_files(images: Sequence[Path], out: Path) -> dict[Path, tuple[Path, Path]]:
    """Where the picture and the mask of each image go.

    Raises:
        ValueError: a picture would take the place of an image.
    """
    names = zip(images, (f'{name}.png' for name in picture_names(images)), strict=True)
    files = {image: (out / name, out / 'masks' / name) for image, name in names}
    written = {os.path.realpath(file) for pair in files.values() for file in pair}
    for image in images:
        if os.path.realpath(image) in written:
            raise ValueError(f'{image} would be overwritten; choose another folder by --out')
    return files


def write(
    predictor: TimedPredictor,
    pixels: np.ndarray,
    labels: np.ndarray,
    picture: Path,
    mask: Path | None,
) -> None:
    """Write the picture of an image, RGB [H, W, 3], with its label map [H, W], and that alone."""
    prediction_picture(picture, pixels, labels, predictor.classes, predictor.palette)
    if mask:
        write_label_map(mask, labels, predictor.palette)


def windows(model: BaseSegmentor, args: Namespace, progress: Progress) -> AbstractContextManager:
    """Windows with a bar of their own, where they are asked for."""
    if not args.window:
        return nullcontext()
    task = progress.add_task('windows')

    def track(windows: Sequence) -> Iterable:
        progress.reset(task)
        return progress.track(windows, task_id=task)

    return in_windows(model, args.window, args.overlap, track)


def predict_images(
    predictor: TimedPredictor,
    files: Mapping[Path, tuple[Path, Path]],
    with_masks: bool,
    progress: Progress,
) -> list[str]:
    """Predict all images; return the errors of those that could not be read."""
    unread = []
    for image, (picture, mask) in progress.track(files.items(), description='images'):
        try:
            labels = predictor.predict(image)
            pixels = read_picture(image)
        except SampleError as error:
            unread.append(str(error))
            continue
        except (ImportError, OSError) as error:
            unread.append(f'{image}: {error}')
            continue
        write(predictor, pixels, labels, picture, mask if with_masks else None)
    return unread


def predict_videos(
    predictor: TimedPredictor,
    files: Mapping[str, tuple[Path, Path]],
    with_masks: bool,
    progress: Progress,
) -> list[str]:
    """Predict all videos; return the errors of those that could not be read."""
    unread = []
    for source, (path, masks) in files.items():
        try:
            said = predict_video(predictor, source, path, masks if with_masks else None, progress)
            progress.console.print(said)
        except VideoError as error:
            unread.append(str(error))
        except SampleError as error:
            unread.append(f'{source}: {error}')
    return unread


def run(args: Namespace) -> None:
    """Run the command."""
    out = Path(os.path.abspath(args.out))
    videos = video_files([path for path in args.paths if is_video(path)], out)
    others = [path for path in args.paths if path not in videos]
    images = output_files(find_images(others, out), out) if others else {}
    config = load_config(args.config, args.cfg_options)
    predictor = load(config, args.checkpoint, args.device or get_device())
    timed = TimedPredictor(predictor)
    columns = BarColumn(), MofNCompleteColumn(), PerSecond(), TimeRemainingColumn()
    with Progress(*columns) as progress, windows(predictor.model, args, progress):
        unread = predict_images(timed, images, args.masks, progress) if images else []
        unread_videos = predict_videos(timed, videos, args.masks, progress)
    if images:
        print(f'Pictures of {len(images) - len(unread)} images: {args.out}')
    if args.masks:
        print(f'Masks: {args.out}/masks')
    print(f'One label map: {timed.speed()}')
    if unread := unread + unread_videos:
        lines = [f'{len(unread)} of {len(images) + len(videos)} could not be read:', *unread]
        raise SystemExit('\n  '.join(lines))
