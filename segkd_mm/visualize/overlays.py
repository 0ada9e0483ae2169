"""Pictures of masks and label maps: coloured, as overlays, and side by side with a legend.

A mask is an integer array [H, W] of class ids, with 255 for void. A palette has one RGB colour (0
to 255) per class.
"""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from mmcv.image import imresize

from segkd_mm.files import written_aside
from segkd_mm.labels import VOID

VOID_COLOUR = (232, 228, 216)

Palette = Sequence[Sequence[int]]

# Inches; a column is 360 dots wide, so that five of them fit on a page.
COLUMN_WIDTH = 2.4
WIDE_COLUMN = 4.0  # in pictures of a single image
GAP = 0.05
DPI = 150
LONG_SIDE = 1200  # pixels; more would not be visible, and takes seconds to draw
LEAST_MEAN = 0.25  # of 1: an image with a darker mean is made lighter below an overlay
INK, FAINT_INK = '#222222', '#666666'


def colourise(mask: np.ndarray, palette: Palette) -> np.ndarray:
    """Colour a mask [H, W] by a palette: RGB uint8 [H, W, 3], void is ``VOID_COLOUR``.

    Raises:
        ValueError: The mask holds a class that is not in the palette.
    """
    invalid = np.setdiff1d(mask, [*range(len(palette)), VOID])
    if invalid.size:
        raise ValueError(
            f'mask with class ids {invalid.tolist()}: the palette has {len(palette)} colours, so '
            f'expected 0 to {len(palette) - 1} or {VOID} for void; give the palette of the dataset.'
        )
    colours = np.full((VOID + 1, 3), VOID_COLOUR, dtype=np.uint8)
    colours[: len(palette)] = palette
    return colours[mask]


def overlay(
    image: np.ndarray, mask: np.ndarray, palette: Palette, opacity: float = 0.5
) -> np.ndarray:
    """Blend a mask [H, W] with its image, RGB uint8 [H, W, 3], and outline its regions in white.

    Void and classes whose colour is black, as VOC's background, show the image. A dark image is
    made lighter (see :func:`brightened`).
    """
    image, colours = brightened(image), colourise(mask, palette)
    blended = cv2.addWeighted(image, 1 - opacity, colours, opacity, 0)
    hidden = (mask == VOID) | ~colours.any(-1)
    blended[hidden] = image[hidden]
    blended[_outlines(mask)] = 255
    return blended


def brightened(image: np.ndarray) -> np.ndarray:
    """Make a dark image, RGB uint8 [H, W, 3], lighter by a gamma; another stays as it is.

    The gamma makes a uniform image of the mean as light as ``LEAST_MEAN``, but is at least 0.4.
    """
    mean = image.mean() / 255
    if not 0 < mean < LEAST_MEAN:
        return image
    gamma = max(math.log(LEAST_MEAN) / math.log(mean), 0.4)
    table = 255 * np.linspace(0, 1, 256) ** gamma
    return table.round().astype(np.uint8)[image]


def _outlines(mask: np.ndarray) -> np.ndarray:
    """Whether the class of a pixel [H, W] differs from that to its right or below."""
    edges = np.zeros(mask.shape, bool)
    edges[:, :-1] = mask[:, :-1] != mask[:, 1:]
    edges[:-1] |= mask[:-1] != mask[1:]
    return edges


def image_grid(
    path: str | os.PathLike,
    columns: Sequence[str],
    rows: Sequence[Sequence[np.ndarray]],
    classes: Sequence[str],
    palette: Palette,
    miou: Mapping[str, float] | None = None,
    column_width: float = COLUMN_WIDTH,
) -> None:
    """Write a PNG grid of samples (rows) with image, mask and label maps (columns).

    Args:
        path: The PNG file.
        columns: Titles, such as 'image', 'truth', 'teacher', 'student', 'distilled'.
        rows: One sample each, with a picture per column: RGB uint8 [H, W, 3] or a mask [H, W].
        classes: Class names for the legend, which shows those in the masks.
        palette: Colours of the classes.
        miou: mIoU in percent by column title, shown under the titles.
        column_width: Width of a column in inches of 150 dots.

    Raises:
        ValueError: No rows, a row with too few or too many pictures, a score for an unknown column,
            classes and palette of different lengths, or a mask with a class that is in neither.
    """
    _check(columns, rows, classes, palette, miou or {})
    rows = [[shrunk(cell) for cell in row] for row in rows]
    figure, grid = _grid(rows, column_width)
    for title, top in zip(columns, grid[0], strict=True):
        _title(top, title, miou or {})
    for axes, picture in zip(grid.flat, (cell for row in rows for cell in row), strict=True):
        axes.imshow(picture if picture.ndim == 3 else colourise(picture, palette))
    if entries := _present(rows, classes, palette):
        _legend(figure, entries)
    with written_aside(path) as aside:
        figure.savefig(aside, format='png', dpi=DPI, bbox_inches='tight', pad_inches=0.1)


def prediction_picture(
    path: str | os.PathLike,
    image: np.ndarray,
    mask: np.ndarray,
    classes: Sequence[str],
    palette: Palette,
) -> None:
    """Write a PNG of an image, its label map, and an overlay of both.

    Args:
        path: The PNG file.
        image: RGB uint8 [H, W, 3].
        mask: The label map, integers [H, W].
        classes: Class names for the legend, which adds the share of the pixels of each class.
        palette: Colours of the classes.

    Raises:
        ValueError: See :func:`image_grid`.
    """
    # By rows, as bincount copies its input to 8 bytes a pixel.
    shares = sum(np.bincount(row, minlength=len(classes)) for row in mask) / mask.size
    labels = [f'{name} {_percent(share)}' for name, share in zip(classes, shares, strict=False)]
    image, mask = shrunk(image), shrunk(mask)
    row = [image, mask, overlay(image, mask, palette)]
    image_grid(
        path, ['image', 'prediction', 'overlay'], [row], labels, palette, column_width=WIDE_COLUMN
    )


def _percent(share: float) -> str:
    return f'{share:.0%}' if share >= 0.005 else '<1%'


def picture_names(images: Sequence[str | os.PathLike]) -> list[str]:
    """Unique names for the pictures of images: relative paths without endings.

    Images of one folder keep their names; those of several folders keep their subfolders. If two
    paths differ only in the ending, it stays part of the name.

    Args:
        images: One or more different paths.
    """
    images = [os.path.abspath(image) for image in images]
    root = os.path.commonpath([os.path.dirname(image) for image in images])
    paths = [os.path.relpath(image, root) for image in images]
    stems = [os.path.splitext(path)[0] for path in paths]
    counts = Counter(stems)
    names = [stem if counts[stem] == 1 else path for stem, path in zip(stems, paths, strict=True)]
    return names if len(set(names)) == len(names) else paths


def shrunk(picture: np.ndarray) -> np.ndarray:
    """Shrink a picture or mask so that its longer side has at most ``LONG_SIDE`` pixels."""
    height, width = picture.shape[:2]
    scale = LONG_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if picture.ndim == 3:
        return imresize(picture, size, interpolation='area')
    return imresize(picture.astype(np.int32), size, interpolation='nearest')


def _check(
    columns: Sequence[str],
    rows: Sequence[Sequence[np.ndarray]],
    classes: Sequence[str],
    palette: Palette,
    miou: Mapping[str, float],
) -> None:
    if not rows:
        raise ValueError('rows is empty, expected one or more samples to show.')
    if len(classes) != len(palette):
        raise ValueError(
            f'classes has {len(classes)} names and palette {len(palette)} colours, expected equal '
            'numbers; take both from the metainfo of the dataset.'
        )
    for number, row in enumerate(rows):
        if len(row) != len(columns):
            raise ValueError(
                f'rows[{number}] has {len(row)} pictures, expected {len(columns)}: one for each of '
                f'the columns {list(columns)}.'
            )
    if unknown := [title for title in miou if title not in columns]:
        raise ValueError(f'miou names {unknown}, expected some of the columns {list(columns)}.')


def _grid(rows: Sequence[Sequence[np.ndarray]], column_width: float) -> tuple[Figure, np.ndarray]:
    """Axes that fill the figure; titles and legend are outside and included when it is saved."""
    # A portrait image is drawn smaller, in a square, as its row would be much higher than others.
    heights = [column_width * min(1.0, row[0].shape[0] / row[0].shape[1]) for row in rows]
    columns = len(rows[0])
    width = columns * column_width + (columns - 1) * GAP
    figure = Figure(figsize=(width, sum(heights) + (len(rows) - 1) * GAP))
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    wspace, hspace = GAP / column_width, GAP / np.mean(heights)
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=wspace, hspace=hspace)
    for axes in grid.flat:
        axes.set_axis_off()
    return figure, grid


def _title(axes: Axes, title: str, miou: Mapping[str, float]) -> None:
    axes.set_title(title, fontsize=13, color=INK, pad=22 if miou else 7)
    if title in miou:
        place = {'xy': (0.5, 1), 'xycoords': 'axes fraction', 'ha': 'center'}
        lift = {'xytext': (0, 6), 'textcoords': 'offset points'}
        axes.annotate(f'mIoU {miou[title]:.1f}', fontsize=11, color=FAINT_INK, **place, **lift)


def _present(
    rows: Sequence[Sequence[np.ndarray]], classes: Sequence[str], palette: Palette
) -> dict[str, Sequence[int]]:
    """Names and colours of the classes in the masks, void last."""
    masks = [cell for row in rows for cell in row if cell.ndim == 2]
    present = {index for mask in masks for index in np.unique(mask).tolist()}
    entries = {classes[index]: palette[index] for index in sorted(present - {VOID})}
    return {**entries, 'void': VOID_COLOUR} if VOID in present else entries


def _legend(figure: Figure, entries: Mapping[str, Sequence[int]]) -> None:
    patches = [
        Patch(facecolor=np.divide(colour, 255), edgecolor='#999999', linewidth=0.5, label=name)
        for name, colour in entries.items()
    ]
    entry_width = 0.58 + 0.085 * max(map(len, entries))
    figure.legend(
        handles=patches,
        ncols=max(1, int(figure.get_figwidth() / entry_width)),
        loc='upper center',
        bbox_to_anchor=(0.5, -0.1 / figure.get_figheight()),
        borderaxespad=0,
        borderpad=0,
        frameon=False,
        fontsize=11,
        labelcolor=INK,
        handlelength=1.2,
        handleheight=1.2,
    )
