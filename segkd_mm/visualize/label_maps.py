"""Masks and label maps of a test as PNG files, with an index that says what they are of.

``FOLDER/label_maps.json`` has the classes, the palette and the image file of each name;
``FOLDER/label_maps/truth/NAME.png`` and ``FOLDER/label_maps/prediction/NAME.png`` are images of
class ids with that palette, 255 for void.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from segkd_mm.files import written_aside
from segkd_mm.labels import VOID

INDEX = 'label_maps.json'
KINDS = 'truth', 'prediction'


@dataclass(frozen=True)
class LabelMapIndex:
    """What the label maps in a folder are of; ``images`` has the image file by name."""

    classes: Sequence[str]
    palette: Sequence[Sequence[int]]
    images: Mapping[str, str]

    def write(self, folder: str | os.PathLike) -> None:
        """Write the index of a folder."""
        with written_aside(Path(folder, INDEX)) as aside:
            aside.write_text(json.dumps(asdict(self), indent=1) + '\n', encoding='utf-8')

    @classmethod
    def read(cls, folder: str | os.PathLike) -> 'LabelMapIndex':
        """Read the index of a folder.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It is not as :meth:`write` writes it.
        """
        path = Path(folder, INDEX)
        try:
            index = cls(**json.loads(path.read_text(encoding='utf-8')))
            _check_kinds(index)
            return index
        except (TypeError, ValueError) as error:
            raise ValueError(
                f'{path}: not an index of label maps ({error}); run the test again.'
            ) from error


def _is_inside(name: str) -> bool:
    """Whether a name leads to no place outside of the folder."""
    return not Path(name).is_absolute() and '..' not in Path(name).parts


def _check_kinds(index: LabelMapIndex) -> None:
    names = isinstance(index.classes, list) and all(isinstance(n, str) for n in index.classes)
    colours = isinstance(index.palette, list) and np.shape(index.palette) == (len(index.classes), 3)
    files = isinstance(index.images, dict) and all(
        isinstance(file, str) and _is_inside(name) for name, file in index.images.items()
    )
    if not (names and colours and files):
        raise ValueError('classes, palette or images are of another kind')


def label_map_file(folder: str | os.PathLike, kind: str, name: str) -> Path:
    """The file of a mask (``truth``) or a label map (``prediction``)."""
    return Path(folder, 'label_maps', kind, f'{name}.png')


def write_label_map(path: str | os.PathLike, mask: np.ndarray, palette: Sequence) -> None:
    """Write a mask or label map, class ids [H, W], as a PNG: see :func:`label_map_picture`."""
    with written_aside(path) as aside:
        label_map_picture(mask, palette).save(aside, format='PNG')


def label_map_picture(mask: np.ndarray, palette: Sequence) -> Image.Image:
    """A mask or label map, class ids [H, W], as a picture of these ids with a palette.

    For more than 256 classes it is grey, of 16 bits.
    """
    picture = Image.fromarray(mask.astype(np.min_scalar_type(max(len(palette) - 1, VOID))))
    if len(palette) <= VOID + 1:
        picture.putpalette(palette_bytes(palette))
    return picture


def palette_bytes(palette: Sequence[Sequence[int]]) -> bytes:
    """The 256 RGB colours of a paletted image: those of the classes, then that of void."""
    from segkd_mm.visualize.overlays import VOID_COLOUR  # imports matplotlib

    colours = np.full((VOID + 1, 3), VOID_COLOUR, dtype=np.uint8)
    colours[: len(palette)] = palette
    return colours.tobytes()


def read_label_map(path: str | os.PathLike) -> np.ndarray:
    """Class ids uint8 [H, W] of a file of :func:`write_label_map`.

    Raises:
        FileNotFoundError, OSError: The file is missing or damaged.
    """
    with Image.open(path) as picture:
        return np.asarray(picture)
