"""Images and masks in two folders, paired by name, and their split by name."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import accumulate
from pathlib import Path

from segkd_mm.datasets.layout import DataLayoutError
from segkd_mm.hints import did_you_mean
from segkd_mm.image_files import SUFFIXES, images_in

PARTS = ('train', 'val', 'test')


def files_by_stem(folder: Path) -> dict[str, Path]:
    """The image files at any depth of a folder by stem: the path inside it without suffix.

    Raises:
        DataLayoutError: The folder does not exist, holds no image, or two of the same stem.
    """
    files: dict[str, Path] = {}
    for file in images_in(folder):
        stem = file.relative_to(folder).with_suffix('').as_posix()
        if stem in files:
            raise DataLayoutError(
                f'{files[stem]} and {file} have the same name but for the suffix, so that it is '
                'not clear which of them is meant. Remove one; images and masks go in two folders.'
            )
        files[stem] = file
    if not files:
        raise _no_images(folder)
    return files


def _no_images(folder: Path) -> DataLayoutError:
    if not folder.is_dir():
        return DataLayoutError(
            f'{folder} does not exist (looked in {Path.cwd()}), expected a folder of image files.'
        )
    suffixes = Counter(file.suffix or 'no suffix' for file in folder.rglob('*') if file.is_file())
    found = ', '.join(f'{count} of {suffix}' for suffix, count in suffixes.most_common(5))
    return DataLayoutError(
        f'{folder} holds no images: found {found or "no files"}, expected files that end in '
        f'{SUFFIXES}, at any depth.'
    )


def read_names(file: Path) -> list[str]:
    """The stems in a list of names, one a line.

    Raises:
        DataLayoutError: The file does not exist, is empty, no text, or has a name twice.
    """
    if not file.is_file():
        raise DataLayoutError(f'{file} does not exist (looked in {Path.cwd()}).')
    try:
        # Some editors begin a text with a byte order mark.
        names = [line.strip() for line in file.read_text(encoding='utf-8-sig').splitlines()]
    except UnicodeDecodeError as error:
        raise DataLayoutError(
            f'{file} is no text in UTF-8 ({error}), expected the name of an image in each line. '
            'Save it as UTF-8.'
        ) from error
    names = [name for name in names if name]
    if not names:
        raise DataLayoutError(f'{file} is empty, expected the name of an image in each line.')
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise DataLayoutError(
            f'{file}: found {twice[0]!r} {names.count(twice[0])} times, expected each name once. '
            'Remove the others; RepeatDataset repeats all images.'
        )
    return names


def in_part(names: Sequence[str], part: str, shares: Sequence[float], seed: int) -> list[str]:
    """The names that fall into a part of ``PARTS``.

    Each name decides by its own hash, so that it stays in its part when others are added.

    Args:
        names: Of images.
        part: 'train', 'val' or 'test'.
        shares: Of the parts, in that order; together 1.
        seed: Of another split.

    Raises:
        DataLayoutError: No name falls into it.
        ValueError: The shares are not those of two or three parts, or ``part`` is none of these.
    """
    parts = PARTS[: len(shares)]
    if not 2 <= len(shares) <= 3 or not math.isclose(sum(shares), 1):
        raise ValueError(
            f'shares is {tuple(shares)}, expected two or three numbers that together are 1: of '
            'train, val and test, such as (0.8, 0.2).'
        )
    if part not in parts:
        raise ValueError(f'split is {part!r}, expected one of {parts} with shares={tuple(shares)}.')
    ends = [0.0, *accumulate(shares)]
    ends[-1] = 1.0  # also where the sum is a rounding less
    start, end = ends[parts.index(part) :][:2]
    chosen = [name for name in names if start <= _fraction(name, seed) < end]
    if not chosen:
        raise DataLayoutError(
            f'Of {len(names)} images none falls into {part!r} by shares={tuple(shares)}: they are '
            'too few for it. Take another seed, or a list of names (split=FILE.txt).'
        )
    return chosen


def _fraction(name: str, seed: int) -> float:
    """A number from 0 up to 1 that depends on the name and the seed alone."""
    digest = sha256(f'{seed}/{name}'.encode()).digest()
    return int.from_bytes(digest[:6], 'big') / 2**48  # which a float holds exactly


def check_pairs(
    names: Sequence[str],
    images: Mapping[str, Path],
    masks: Mapping[str, Path] | None,
    all_masked: bool = True,
) -> None:
    """Check that each name has an image and, where there are masks, one; and each mask an image.

    Args:
        names: Of a split.
        images: By name.
        masks: By name; None where there are none.
        all_masked: Whether each name must have a mask; some must have one.

    Raises:
        DataLayoutError: One is missing; names the first, and names that are close.
    """
    _require('image', names, images)
    if masks is not None:
        if all_masked or not any(name in masks for name in names):
            _require('mask', names, masks)
        _require('image', [*masks], images)


def _require(kind: str, names: Sequence[str], files: Mapping[str, Path]) -> None:
    missing = [name for name in names if name not in files]
    if missing:
        raise DataLayoutError(
            f'There is no {kind} {missing[0]!r}{did_you_mean(missing[0], files)} beside '
            f'{next(iter(files.values()))}; {len(missing)} of {len(names)} {kind}s are missing. '
            'An image and its mask must have the same path inside their folders, but for the '
            'suffix: rename them, remove what has no partner, or list the names to use '
            '(split=FILE.txt). Images that have no masks on purpose: missing_masks, see '
            'docs/few_labels.md.'
        )
