"""What the tests of all formats share: small images, JSON files, and drawn masks."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segkd_mm.convert.annotated import AnnotatedImages, class_ids, class_list

ORIENTATION = 0x0112


@pytest.fixture
def images(tmp_path) -> Path:
    """A folder with a.jpg of 6 x 4 pixels (width, height)."""
    save_image(tmp_path / 'images/a.jpg')
    return tmp_path / 'images'


@pytest.fixture
def add_image() -> Callable:
    """``add_image(path, size=(6, 4), orientation=1)``, of width and height as stored."""
    return save_image


def save_image(path: Path, size: tuple[int, int] = (6, 4), orientation: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.new('RGB', size).save(path, exif=exif)


@pytest.fixture
def write() -> Callable:
    """Write an object as JSON, or text as it is; give the path."""

    def save(path: Path, content: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return save


@pytest.fixture
def mask_of() -> Callable:
    """Draw a mask of what a reader found, as a list of text rows, void is ``-``."""

    def draw(found: AnnotatedImages, index=0, chosen=None, unlabelled=None) -> list[str]:
        unlabelled = unlabelled or found.unlabelled
        ids = class_ids(class_list(found, chosen, unlabelled), unlabelled)
        mask = found.images[index].draw(*ids)
        assert mask.dtype == np.uint8
        return [''.join('-' if value == 255 else str(value) for value in row) for row in mask]

    return draw
