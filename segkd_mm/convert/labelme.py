"""Reading of labelme annotations: a JSON file for each image."""

import base64
import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.progress import track

from segkd_mm.convert.annotated import AnnotatedImage, AnnotatedImages
from segkd_mm.convert.drawing import (
    Shape,
    check_points,
    circle,
    draw_mask,
    patch,
    polygon,
    rectangle,
    smallest_last,
)
from segkd_mm.convert.reading import (
    check_image,
    files_named,
    inside,
    read_json,
    size_of,
    value_of,
)
from segkd_mm.datasets.folder_values import VOID_NAME
from segkd_mm.datasets.sample_error import sample_error
from segkd_mm.image_files import images_in

# Labels that have a meaning in labelme's own conversion (labelme2voc.py).
SPECIAL = {'__ignore__': VOID_NAME, '_background_': 'background'}
SUFFIXES = {'JPEG': '.jpg', 'PNG': '.png'}
POLYGONS = ('polygon', 'oriented_rectangle')
DRAWN = (*POLYGONS, 'rectangle', 'circle', 'mask')


def read_labelme(annotations: Path, images: Path) -> AnnotatedImages:
    """Read labelme's JSON files, with or without the image in ``imageData``.

    ``imagePath`` is relative to the JSON file or to ``images``. Where that file is missing, the
    image is taken from ``imageData``.

    Source: labelme (_label_file.py, shape.py), https://github.com/wkentaro/labelme.

    Args:
        annotations: Folder of the JSON files, at any depth.
        images: Folder in which the images lie.

    Raises:
        DataLayoutError: There is no JSON file.
        SampleError: The content of one cannot be right; names the shape.
    """
    files = files_named(annotations, '*.json', 'labelme')
    found = [_image(file, annotations, images) for file in track(files, 'Reading annotations')]
    names = sorted({name for image in found for name in image.names} - {VOID_NAME})
    left_out = len({*images_in(images)} - {image.image for image in found})
    notes = [f'{left_out} images in {images} have no annotation file and were left out.']
    return AnnotatedImages(names, found, 'background', names, notes=notes * bool(left_out))


def _image(file: Path, annotations: Path, images: Path) -> AnnotatedImage:
    content = read_json(file)
    where = str(file)
    entries = value_of(where, content, 'shapes', list)
    image = _image_file(file, content, images)
    stated = (
        size_of(where, content, 'imageHeight', 'imageWidth') if content.get('imageHeight') else None
    )
    size = check_image(where, image, stated)
    shapes = [_shape(f'{file}: shapes[{i}]', entry, size) for i, entry in enumerate(entries)]
    if isinstance(image, Path):
        path = image.relative_to(images)
    else:
        path = file.relative_to(annotations).with_suffix(_suffix(where, image))
    names = [shape.name for shape in shapes]
    return AnnotatedImage(image, path, names, partial(draw_mask, smallest_last(shapes), size))


def _image_file(file: Path, content: Any, images: Path) -> Path | bytes:
    """The file that ``imagePath`` names, or else the bytes in ``imageData``."""
    name = value_of(str(file), content, 'imagePath', str)
    places = [place for base in (file.parent, images) if (place := inside(images, base, name))]
    if existing := [place for place in places if place.is_file()]:
        return existing[0]
    data = value_of(str(file), content, 'imageData', str, optional=True)
    if data is not None:
        return _decoded(str(file), 'imageData', data)
    raise sample_error(
        file, f'imagePath {name!r}, and no imageData', f'the path of a file in {images}',
        'Give the folder of the images with --images. Paths are relative to the JSON file or to '
        'that folder.',
    )  # fmt: skip


def _decoded(where: str, key: str, data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        found = f'{key} that is no base64 ({error})'
        advice = 'Save it again with labelme.'
        raise sample_error(where, found, 'an image in base64', advice) from error


def _suffix(where: str, image: bytes) -> str:
    with Image.open(io.BytesIO(image)) as opened:
        kind = opened.format
    if kind not in SUFFIXES:
        advice = 'Save it again with labelme.'
        raise sample_error(where, f'imageData in the format {kind}', 'JPEG or PNG', advice)
    return SUFFIXES[kind]


def _shape(where: str, entry: Any, size: tuple[int, int]) -> Shape:
    label = value_of(where, entry, 'label', str)
    name = SPECIAL.get(label, label)
    kind = value_of(where, entry, 'shape_type', str, optional=True) or 'polygon'
    points = value_of(where, entry, 'points', list)
    if kind in POLYGONS:
        return polygon(name, check_points(where, points, size))
    if kind not in DRAWN:
        advice = 'It has no area: remove it, or draw it as a polygon.'
        raise sample_error(where, f'shape_type {kind!r}', ', '.join(DRAWN), advice)
    points = check_points(where, points, size, at_least=2)
    if kind == 'rectangle':
        return rectangle(name, points)
    return circle(name, *points[:2]) if kind == 'circle' else _patch(name, where, entry, points)


def _patch(name: str, where: str, entry: dict, points: list[tuple[float, float]]) -> Shape:
    """The shape of labelme's kind 'mask': a small PNG at the first of its points."""
    data = _decoded(where, 'mask', value_of(where, entry, 'mask', str))
    try:
        with Image.open(io.BytesIO(data)) as opened:
            pixels = np.array(opened.convert('L')).astype(bool)
    except Exception as error:  # Pillow raises OSError, SyntaxError and others
        advice = 'Save it again with labelme.'
        raise sample_error(where, 'a mask that cannot be decoded', 'a PNG', advice) from error
    left, top = np.round(points[0]).astype(int).tolist()
    return patch(name, pixels, left, top)
