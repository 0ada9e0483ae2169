"""Resize Cityscapes to 1024 x 512 once, so that trainings do not read full-size images."""

from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from rich.filesize import decimal
from rich.progress import track

from segkd_mm.commands import command
from segkd_mm.datasets.cityscapes_half import IMAGE_SUFFIX, LABEL_SUFFIX, halve_image, halve_mask
from segkd_mm.files import written_aside

IDS_SUFFIX = '_gtFine_labelIds.png'
SIZE = (1024, 2048)
LABELLED = ('train', 'val')

Job = tuple[Callable[[Path, Path], None], Path, Path]


def list_jobs(src: Path, dst: Path) -> list[Job]:
    """All that DST is to hold: how each file is made, from what, and where it goes.

    Raises:
        ValueError: No images of train or val, or an image of theirs has no label.
    """
    jobs = [job for split in (*LABELLED, 'test') for job in _jobs_of(src, dst, split)]
    missing = [source for _, source, _ in jobs if not source.is_file()]
    if missing:
        raise ValueError(
            f'{missing[0]} does not exist (labels missing: {len(missing)}). Unpack '
            f'gtFine_trainvaltest.zip in {src}, beside leftImg8bit/.'
        )
    return jobs


def _jobs_of(src: Path, dst: Path, split: str) -> Iterator[Job]:
    images = sorted((src / 'leftImg8bit' / split).glob(f'*/*{IMAGE_SUFFIX}'))
    if not images and split in LABELLED:
        raise ValueError(
            f'{src}/leftImg8bit/{split} holds no <city>/*{IMAGE_SUFFIX}. Unpack '
            f'leftImg8bit_trainvaltest.zip in {src}, or give the folder where it is unpacked.'
        )
    for image in images:
        yield halve_image_file, image, dst / image.relative_to(src)
        if split in LABELLED:
            label = Path('gtFine', split, image.parent.name, image.name.removesuffix(IMAGE_SUFFIX))
            yield halve_label_file, src / f'{label}{IDS_SUFFIX}', dst / f'{label}{LABEL_SUFFIX}'


def halve_image_file(source: Path, target: Path) -> None:
    """Read, halve, write.

    Raises:
        ValueError: The file cannot be read, or is not 2048 x 1024.
    """
    _write(target, halve_image(_read(source, cv2.IMREAD_COLOR)))


def halve_label_file(source: Path, target: Path) -> None:
    """Read, halve, write; see :func:`halve_image_file`."""
    _write(target, halve_mask(_read(source, cv2.IMREAD_GRAYSCALE)))


def _read(path: Path, flag: int) -> np.ndarray:
    image = cv2.imread(str(path), flag)
    if image is None:
        raise ValueError(f'{path} cannot be read: it is damaged or cut short. Unpack it again.')
    if image.shape[:2] != SIZE:
        height, width = image.shape[:2]
        raise ValueError(
            f'{path} is {width} x {height}, expected 2048 x 1024. SRC must be Cityscapes at its '
            'full size.'
        )
    return image


def _write(path: Path, image: np.ndarray) -> None:
    # Unlike `cv2.imwrite`, this fails where the disk is full.
    _, png = cv2.imencode('.png', image)
    with written_aside(path) as aside:
        aside.write_bytes(png)


def run_jobs(jobs: list[Job]) -> None:
    """Run the jobs in one process per core; the first error stops all."""
    with ProcessPoolExecutor() as pool:
        done = pool.map(_run_job, jobs)
        try:
            for _ in track(done, 'Halving Cityscapes', total=len(jobs)):
                pass
        except ValueError as error:  # of another process, with its traceback as the cause
            raise ValueError(str(error)) from None


def _run_job(job: Job) -> None:
    halve, source, target = job
    halve(source, target)


def run(args: Namespace) -> None:
    """Run the command."""
    jobs = list_jobs(args.src, args.dst)
    todo = [job for job in jobs if not job[2].exists()]
    if todo:
        run_jobs(todo)
    report(args.dst, jobs, todo)


def report(dst: Path, jobs: list[Job], todo: list[Job]) -> None:
    """Print what was made, its size and what to run next."""
    size = sum(target.stat().st_size for _, _, target in jobs)
    images = sum(halve is halve_image_file for halve, _, _ in jobs)
    print(
        f'{dst}: {images} images and {len(jobs) - images} labels, {decimal(size)}; {len(todo)} '
        f'files made, {len(jobs) - len(todo)} there already.\n'
        f'Train on them:  {command("train")} configs/student/psp_r18_cityscapes.py '
        f'--cfg-options data_root={dst}'
    )
