"""Drawing of synthetic scenes in which the outline of an object determines its class."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from segkd_mm.labels import VOID

SIZE = 160
_EDGE = np.ones((3, 3), np.uint8)
_Y, _X = np.mgrid[:SIZE, :SIZE].astype(np.float32)


def _arc(radius: float, start: float = 0, stop: float = 2 * np.pi, x: float = 0) -> np.ndarray:
    angle = np.linspace(start, stop, 48)
    return np.stack([x + radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _polygon(radii: Sequence[float], turn: float = 0) -> np.ndarray:
    angle = turn + np.arange(len(radii)) * 2 * np.pi / len(radii)
    return np.asarray(radii)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _cross(arm: float = 0.33) -> np.ndarray:
    corner = np.array([[1, -arm], [1, arm], [arm, arm]])
    quarter = np.array([[0, 1], [-1, 0]])
    return np.concatenate([corner @ np.linalg.matrix_power(quarter, k) for k in range(4)])


def _crescent(x: float = 0.55, radius: float = 0.8) -> np.ndarray:
    cut = (x * x + 1 - radius * radius) / (2 * x)
    outer, inner = np.arccos(cut), np.arccos((cut - x) / radius)
    inside = _arc(radius, inner, 2 * np.pi - inner, x)
    return np.concatenate([_arc(1, outer, 2 * np.pi - outer), inside[::-1]])


# Contours in the unit circle; an overlap of two is a hole.
OUTLINES = {
    'disc': [_arc(1)],
    'square': [_polygon([1] * 4, np.pi / 4)],
    'triangle': [_polygon([1] * 3)],
    'star': [_polygon([1, 0.42] * 5)],
    'ring': [_arc(1), _arc(0.55)],
    'cross': [_cross()],
    'crescent': [_crescent()],
}


# The usual colour (BGR) of the objects of each outline; other objects have it by chance.
_TINTS = np.float32(
    [[60, 60, 220], [60, 200, 60], [220, 90, 60], [60, 210, 220], [210, 60, 200], [215, 205, 60],
     [40, 130, 235]]
)[..., None, None]  # fmt: skip


@dataclass(frozen=True)
class SceneStyle:
    """How hard scenes are: what the class of an object says of its colour, and its size.

    Attributes:
        tint_share: Part of an object's colour that is the usual one of its class, 0 to 1.
        radius: Smallest and largest radius of an object, in pixels of a scene of 160.
        size: Side of the image, to which the scene is scaled, in pixels.
        clutter: Number of blobs and lines in the background: at least, and less than.
    """

    tint_share: float = 0.8
    radius: tuple[float, float] = (16, 44)
    size: int = SIZE
    clutter: tuple[int, int] = (2, 7)


def draw_scene(
    rng: np.random.Generator, style: SceneStyle = SceneStyle()
) -> tuple[np.ndarray, np.ndarray]:
    """Draw 3 to 6 objects, which may overlap, over a cluttered background.

    Texture, size and position have the same distribution for all classes and the background; a part
    of the colour (``tint_share``) depends on the class, so that a small network learns in minutes.

    Args:
        rng: Source of all that is random in a scene.
        style: How hard the scenes are.

    Returns:
        The image [160, 160, 3], uint8, BGR; and the mask [160, 160], uint8: 0 is background,
        1 to 7 the position in ``OUTLINES``, 255 a void border of 2 pixels around each object. Of
        another ``size`` both are scaled.
    """
    image = _texture(rng)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    for _ in range(rng.integers(*style.clutter)):
        _blend(image, _texture(rng), _blob(rng, style) if rng.random() < 0.6 else _line(rng))
    for _ in range(rng.integers(3, 7)):
        index = rng.integers(len(OUTLINES))
        opacity = _fill(list(OUTLINES.values())[index], rng, style)
        _blend(image, _texture(rng, _TINTS[index], style.tint_share), opacity)
        solid = (opacity > 127).astype(np.uint8)
        mask[cv2.dilate(solid, _EDGE) > 0] = VOID
        mask[cv2.erode(solid, _EDGE) > 0] = index + 1
    return _scaled(_light(image, rng), mask, style.size)


def _scaled(image: np.ndarray, mask: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    if size == SIZE:
        return image, mask
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return image, cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST)


def _blend(image: np.ndarray, texture: np.ndarray, opacity: np.ndarray) -> None:
    image += (texture - image) * (opacity / np.float32(255))


def _fill(
    contours: Sequence[np.ndarray], rng: np.random.Generator, style: SceneStyle
) -> np.ndarray:
    """Opacity [160, 160], uint8, of randomly rotated, stretched, scaled and shifted contours."""
    angle, stretch = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.25)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = rotation @ np.diag([stretch, 1 / stretch]) * rng.uniform(*style.radius)
    centre = rng.uniform(10, SIZE - 10, 2)
    # cv2 takes fixed-point coordinates with `shift` fractional bits.
    fixed = [np.round((points @ linear.T + centre) * 16).astype(np.int32) for points in contours]
    return cv2.fillPoly(np.zeros((SIZE, SIZE), np.uint8), fixed, 255, cv2.LINE_AA, shift=4)


def _blob(rng: np.random.Generator, style: SceneStyle) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    waves = [rng.normal(0, 0.22) * np.sin(k * angle + rng.uniform(0, 7)) for k in (2, 3, 4, 5)]
    return _fill([_polygon(np.clip(0.7 + sum(waves), 0.15, 1.4))], rng, style)


def _line(rng: np.random.Generator) -> np.ndarray:
    corners = rng.integers(-20, SIZE + 20, (1, rng.integers(2, 5), 2))
    opacity = np.zeros((SIZE, SIZE), np.uint8)
    return cv2.polylines(opacity, corners, False, 255, int(rng.integers(1, 6)), cv2.LINE_AA)


def _texture(
    rng: np.random.Generator, tint: np.ndarray | None = None, share: float = 0
) -> np.ndarray:
    """Texture [3, 160, 160], float32, 0 to 255: two colours mixed by a random pattern."""
    pattern = (_stripes, _checks, _clouds)[rng.integers(3)](rng)
    first = rng.uniform(25, 230, (3, 1, 1)).astype(np.float32)
    if tint is not None:
        first += np.float32(share) * (tint - first)
    second = np.clip(first + rng.normal(0, 45, (3, 1, 1)), 0, 255).astype(np.float32)
    return first + (second - first) * pattern


def _waves(rng: np.random.Generator, angle: float, length: float) -> np.ndarray:
    distance = _X * np.float32(np.cos(angle)) + _Y * np.float32(np.sin(angle))
    return np.sin(distance * np.float32(2 * np.pi / length) + np.float32(rng.uniform(0, 7)))


def _stripes(rng: np.random.Generator) -> np.ndarray:
    return 0.5 + 0.5 * _waves(rng, rng.uniform(0, np.pi), rng.uniform(4, 40))


def _checks(rng: np.random.Generator) -> np.ndarray:
    angle, length = rng.uniform(0, np.pi), rng.uniform(8, 40)
    squares = _waves(rng, angle, length) * _waves(rng, angle + np.pi / 2, length)
    return (squares > 0).astype(np.float32)


def _clouds(rng: np.random.Generator) -> np.ndarray:
    coarse = rng.random([rng.integers(3, 60)] * 2, np.float32)
    return cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def _light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Apply a linear change of brightness, blur and sensor noise."""
    angle, (near, far) = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.3, 2)
    across = ((_X - SIZE / 2) * np.cos(angle) + (_Y - SIZE / 2) * np.sin(angle)) / SIZE + 0.5
    image = np.moveaxis(image * (near + (far - near) * across.clip(0, 1)), 0, -1)
    image = cv2.GaussianBlur(np.ascontiguousarray(image), (0, 0), rng.uniform(0.3, 1.2))
    noise = rng.standard_normal(image.shape, np.float32) * rng.uniform(2, 14)
    return np.clip(image + noise, 0, 255).astype(np.uint8)
