"""Drawing of masks from shapes: polygons, rectangles, circles and run lengths, with checks."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from segkd_mm.datasets.sample_error import SampleError, sample_error

Draw = Callable[[Image.Image, int], None]
"""Draws a shape on a mask with a class id."""


class Shape(NamedTuple):
    """An annotation: the name of its class, its area in pixels, and how it is drawn."""

    name: str
    area: float
    draw: Draw


def draw_mask(
    shapes: Sequence[Shape], size: tuple[int, int], ids: Mapping[str, int], unlabelled: int
) -> np.ndarray:
    """The mask of an image, uint8 [H, W]; later shapes cover earlier ones.

    Args:
        shapes: The annotations, from the lowest to the one on top.
        size: Height and width.
        ids: Class ids by name.
        unlabelled: Id of pixels without a shape, and of shapes whose class is not listed.
    """
    mask = Image.new('L', size[::-1], unlabelled)
    for shape in shapes:
        shape.draw(mask, ids.get(shape.name, unlabelled))
    return np.array(mask)


def smallest_last(shapes: Sequence[Shape]) -> list[Shape]:
    """The shapes by falling area, so that a small one is not covered by a large one."""
    return sorted(shapes, key=lambda shape: -shape.area)


def check_points(
    where: str, points: Any, size: tuple[int, int], at_least: int = 3
) -> list[tuple[float, float]]:
    """The points of a shape as pairs (x, y), in pixels.

    Args:
        where: The annotation, for errors.
        points: x and y in turn, or pairs of them.
        size: Height and width of the image.
        at_least: So many points.

    Raises:
        SampleError: They are no numbers, not finite, too few, or outside of the image.
    """
    try:
        array = np.asarray(points, dtype=float).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError):
        raise _points_error(where, f'the points {points!r:.80}', 'pairs of numbers') from None
    if len(array) < at_least:
        raise _points_error(where, f'{len(array)} points', f'at least {at_least}')
    if not np.isfinite(array).all():
        raise _points_error(where, 'points with NaN or infinity', 'finite numbers')
    limits = np.array(size[::-1])
    low, high = array.min(0), array.max(0)
    # Some tools let a shape reach out of the image a little; drawing takes the part inside.
    if (
        (high < 0).any()
        or (low > limits).any()
        or (low < -limits).any()
        or (high > 2 * limits).any()
    ):
        found = f'points from {_pair(low)} to {_pair(high)}'
        raise _points_error(where, found, f'points in the image of {_pair(limits)} pixels')
    return [tuple(point) for point in array.tolist()]


def _points_error(where: str, found: str, expected: str) -> SampleError:
    return sample_error(where, found, expected, 'Correct or remove this annotation.')


def _pair(values: np.ndarray) -> str:
    return f'({values[0]:g}, {values[1]:g})'


def polygon(name: str, points: Sequence[tuple[float, float]]) -> Shape:
    """A polygon drawn as labelme and cityscapesScripts do, by Pillow, with its outline."""
    x, y = np.array(points).T
    area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
    return Shape(name, area, partial(_draw, 'polygon', list(points)))


def rectangle(name: str, points: Sequence[tuple[float, float]]) -> Shape:
    """The upright rectangle around points, with its outline."""
    (left, top), (right, bottom) = np.min(points, 0).tolist(), np.max(points, 0).tolist()
    area = (right - left) * (bottom - top)
    return Shape(name, area, partial(_draw, 'rectangle', [left, top, right, bottom]))


def circle(name: str, centre: tuple[float, float], on_edge: tuple[float, float]) -> Shape:
    """A circle by its centre and a point of its edge, with its outline."""
    radius = math.dist(centre, on_edge)
    (x, y), box = centre, radius * np.array([-1, -1, 1, 1])
    corners = (box + [x, y, x, y]).tolist()
    return Shape(name, math.pi * radius**2, partial(_draw, 'ellipse', corners))


def _draw(kind: str, points: list, mask: Image.Image, value: int) -> None:
    getattr(ImageDraw.Draw(mask), kind)(points, fill=value, outline=value)


def coco_polygons(
    name: str, polygons: Sequence[Sequence[tuple[float, float]]], size: tuple[int, int]
) -> Shape:
    """The union of polygons, drawn as COCO does: pixels whose centre is inside."""
    flat = [[x for point in points for x in point] for points in polygons]
    return _coco_shape(name, coco_mask.merge(coco_mask.frPyObjects(flat, *size)))


def coco_runs(name: str, where: str, rle: Mapping[str, Any], size: tuple[int, int]) -> Shape:
    """A run-length encoding of COCO's, compressed (counts is text) or not (a list).

    Raises:
        SampleError: It is no run-length encoding, or of another size than the image.
    """
    counts = rle.get('counts')
    try:
        counts = _decompressed(counts) if isinstance(counts, str) else counts
        # pycocotools does not check it, and reads other memory where runs are missing.
        good = all(type(n) is int and n >= 0 for n in counts) and sum(counts) == math.prod(size)
    except (TypeError, IndexError):
        good = False
    if rle.get('size') != list(size) or not good:
        expected = f'one of size {list(size)}, whose counts add up to its {math.prod(size)} pixels'
        raise _points_error(where, f'the run-length encoding {rle!r:.80}', expected)
    return _coco_shape(name, coco_mask.frPyObjects({'size': list(size), 'counts': counts}, *size))


def _decompressed(counts: str) -> list[int]:
    """Run lengths from COCO's compressed form.

    Five bits a character, the lowest first, with a sign in the last; from the fourth on a number is
    the difference to the one two before (cocoapi, common/maskApi.c).
    """
    runs, value, shift = [], 0, 0
    for code in (ord(letter) - 48 for letter in counts):
        value |= (code & 31) << shift
        shift += 5
        if not code & 32:
            signed = value - (1 << shift) * (code >> 4 & 1)
            runs.append(signed + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def _coco_shape(name: str, rle: dict) -> Shape:
    return Shape(name, float(coco_mask.area(rle)), partial(_paste_runs, rle))


def _paste_runs(rle: dict, mask: Image.Image, value: int) -> None:
    mask.paste(value, mask=Image.fromarray(coco_mask.decode(rle) * np.uint8(255)))


def patch(name: str, pixels: np.ndarray, left: int, top: int) -> Shape:
    """A small mask, bool [h, w], whose first pixel lies at (left, top)."""
    return Shape(name, float(pixels.sum()), partial(_paste_patch, pixels, (left, top)))


def _paste_patch(pixels: np.ndarray, place: tuple[int, int], mask: Image.Image, value: int) -> None:
    mask.paste(value, place, Image.fromarray(pixels * np.uint8(255)))
