"""Predict images: for each a picture with the image, its label map and an overlay."""

import os
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from mmcv.image import imwrite
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

from segkd_mm.config import load_config
from segkd_mm.datasets import SampleError
from segkd_mm.deploy import Predictor, in_windows, load
from segkd_mm.deploy.images import find_images
from segkd_mm.files import written_aside
from segkd_mm.visualize.band_pictures import read_picture
from segkd_mm.visualize.overlays import picture_names, prediction_picture


class PerSecond(ProgressColumn):
    """A column of a progress bar: images or windows per second."""

    def render(self, task: Task) -> Text:
        return Text(f'{task.finished_speed or task.speed or 0:.1f} {task.description}/s')


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
    predictor: Predictor, pixels: np.ndarray, labels: np.ndarray, picture: Path, mask: Path | None
) -> None:
    """Write the picture of an image, RGB [H, W, 3], with its label map [H, W], and that alone."""
    prediction_picture(picture, pixels, labels, predictor.classes, predictor.palette)
    if mask:
        with written_aside(mask) as aside:
            imwrite(labels, str(aside))


def windows(model: BaseSegmentor, args: Namespace, progress: Progress) -> AbstractContextManager:
    """Windows with a bar of their own, where they are asked for."""
    if not args.window:
        return nullcontext()
    task = progress.add_task('windows')

    def track(windows: Sequence) -> Iterable:
        progress.reset(task)
        return progress.track(windows, task_id=task)

    return in_windows(model, args.window, args.overlap, track)


def predict_all(
    predictor: Predictor, files: Mapping[Path, tuple[Path, Path]], args: Namespace
) -> dict[Path, Exception]:
    """Predict all images; return those that could not be read, with the error."""
    unread = {}
    columns = BarColumn(), MofNCompleteColumn(), PerSecond(), TimeRemainingColumn()
    with Progress(*columns) as progress, windows(predictor.model, args, progress):
        for image, (picture, mask) in progress.track(files.items(), description='images'):
            try:
                pixels = read_picture(image)
                labels = predictor.predict(image)
            except (ImportError, OSError, SampleError) as error:
                unread[image] = error
                continue
            write(predictor, pixels, labels, picture, mask if args.masks else None)
    return unread


def run(args: Namespace) -> None:
    """Run the command."""
    out = Path(os.path.abspath(args.out))
    files = output_files(find_images(args.paths, out), out)
    config = load_config(args.config, args.cfg_options)
    unread = predict_all(load(config, args.checkpoint, args.device or get_device()), files, args)
    print(f'Pictures of {len(files) - len(unread)} images: {args.out}')
    if args.masks:
        print(f'Masks: {args.out}/masks')
    if unread:
        lines = [f'  {image}: {error}' for image, error in unread.items()]
        raise SystemExit('\n'.join([f'{len(unread)} of {len(files)} could not be read:', *lines]))
