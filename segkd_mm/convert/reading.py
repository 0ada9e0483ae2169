"""Reading of JSON annotations, of file names in them, and of the sizes of images, with checks."""

import io
import json
import os
from pathlib import Path, PureWindowsPath
from typing import Any

from PIL import ExifTags, Image
from torchvision.datasets.folder import is_image_file

from segkd_mm.datasets.layout import DataLayoutError
from segkd_mm.datasets.orientation import TURNS, UPRIGHT
from segkd_mm.datasets.sample_error import sample_error
from segkd_mm.image_files import PICTURES

EXPORT_AGAIN = 'Export it again from the tool that made it, or correct it.'


def files_named(folder: Path, pattern: str, format: str) -> list[Path]:
    """The files of a pattern at any depth, sorted.

    Raises:
        DataLayoutError: There is none.
    """
    files = sorted(file for file in folder.rglob(pattern) if file.is_file())
    if not files:
        found = 'it holds none' if folder.is_dir() else 'that folder does not exist'
        raise DataLayoutError(
            f'--annotations {folder}: {found}, expected a folder of {pattern} files ({format}), at '
            'any depth.'
        )
    return files


def read_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        DataLayoutError: It does not exist.
        SampleError: It is no JSON.
    """
    if not file.is_file():
        raise DataLayoutError(f'{file} does not exist (looked in {Path.cwd()}), expected a file.')
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise sample_error(file, f'no JSON ({error})', 'a whole JSON file', EXPORT_AGAIN) from error


def value_of(where: str, entry: Any, key: str, kind: type, optional: bool = False) -> Any:
    """A value in a JSON object; None where it is missing or null and ``optional``.

    Raises:
        SampleError: It is missing or of another type; the error begins with ``where``.
    """
    value = entry.get(key) if isinstance(entry, dict) else None
    if value is None and optional:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        found = f'{key}={value!r:.80}' if value is not None else f'no {key!r}'
        raise sample_error(where, found, f'{key!r} of type {kind.__name__}', EXPORT_AGAIN)
    return value


def size_of(where: str, entry: dict, height: str, width: str) -> tuple[int, int]:
    """Height and width in a JSON object, by their keys."""
    return value_of(where, entry, height, int), value_of(where, entry, width, int)


def inside(folder: Path, base: Path, name: str) -> Path | None:
    """The path of a file that ``name`` names from ``base``; None if it is not in ``folder``.

    Names may have the separators of Windows.
    """
    path = Path(os.path.abspath(base / PureWindowsPath(name).as_posix()))
    return path if path.is_relative_to(os.path.abspath(folder)) else None


def check_image(
    where: str, image: Path | bytes, stated: tuple[int, int] | None = None
) -> tuple[int, int]:
    """Height and width of an image, upright, after a check that its annotations fit it.

    Args:
        where: The annotations, for errors.
        image: The file, or the bytes of one.
        stated: Height and width in the annotations.

    Raises:
        SampleError: The image is missing, no image that we read, or of another size; or it has an
            EXIF orientation, and nothing shows whether the annotations were drawn upright.
    """
    name = image if isinstance(image, Path) else f'{where}, its imageData'
    if isinstance(image, Path):
        _check_file(where, image)
    stored, orientation = _header(name, image)
    size = _upright(stored, orientation)
    if orientation != UPRIGHT and (size == stored or stated != size):
        raise _orientation_error(name, where, orientation)
    if stated and stated != size:
        raise sample_error(
            where, f'the size {_pixels(stated)}', f'{_pixels(size)} as its image {name}',
            'The image was resized, or is another one: take the image that was annotated.',
        )  # fmt: skip
    return size


def upright_size(image: Path) -> tuple[int, int]:
    """Height and width of an image file, upright.

    Raises:
        SampleError: It cannot be read.
    """
    return _upright(*_header(image, image))


def _upright(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return size[::-1] if orientation in TURNS else size


def _check_file(where: str, image: Path) -> None:
    if not image.is_file():
        raise sample_error(
            where, f'no file {image}', 'the image that it names',
            'Give the folder of the images with --images, or remove the entry.',
        )  # fmt: skip
    if not is_image_file(image.name) or image.name[0] == '.':
        advice = 'Save the image as one of these, under a name without a dot at the start.'
        raise sample_error(where, f'the image {image}', f'a name that ends in {PICTURES}', advice)


def _header(name: Path | str, image: Path | bytes) -> tuple[tuple[int, int], int]:
    """Height and width as stored, and the EXIF orientation."""
    try:
        with Image.open(image if isinstance(image, Path) else io.BytesIO(image)) as opened:
            return opened.size[::-1], opened.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    except Exception as error:  # Pillow raises OSError, SyntaxError and others
        size = image.stat().st_size if isinstance(image, Path) else len(image)
        found = f'{size} bytes that cannot be read ({error})'
        advice = 'If it is cut short or damaged: copy it again, or remove it.'
        raise sample_error(name, found, 'an image', advice) from error


def _orientation_error(name: Path | str, where: str, orientation: int) -> Exception:
    return sample_error(
        name, f'the EXIF orientation {orientation}',
        f'an image without one: nothing shows whether {where} was drawn on the turned picture',
        'If the annotations fit the picture as viewers show it: mogrify -auto-orient IMAGE. If '
        'they fit the pixels as they are stored: exiftool -Orientation= IMAGE.',
    )  # fmt: skip


def _pixels(size: tuple[int, int]) -> str:
    return f'{size[1]} x {size[0]}'
