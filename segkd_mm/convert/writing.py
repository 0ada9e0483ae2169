"""Writing of images and masks in the layout that ``FolderDataset`` reads."""

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from mmcv.transforms import LoadImageFromFile
from PIL import Image
from rich.progress import track

from segkd_mm.convert.annotated import AnnotatedImage, class_ids
from segkd_mm.datasets.checked_annotations import LoadCheckedAnnotations
from segkd_mm.datasets.folder import FolderDataset
from segkd_mm.datasets.layout import DataLayoutError
from segkd_mm.datasets.sample_error import sample_error
from segkd_mm.evenly_spaced import evenly_spaced
from segkd_mm.files import folder_aside
from segkd_mm.labels import VOID
from segkd_mm.visualize.overlays import image_grid, overlay, shrunk

IMAGES, MASKS, CLASSES, SHEET = 'images', 'masks', 'classes.json', 'contact_sheet.png'
ON_SHEET = 12


def write_folder(
    out: Path,
    images: Sequence[AnnotatedImage],
    classes: Sequence[str],
    unlabelled: str,
    link: bool = False,
) -> list[dict]:
    """Write images, masks, the list of classes and a contact sheet; all of it or nothing.

    Args:
        out: A folder that does not exist or is empty.
        images: What to write.
        classes: Names in the order of their ids.
        unlabelled: The class of pixels without annotation, or 'void'.
        link: Link the images in place of copies.

    Returns:
        For each class, and void where it occurs: its id, images, share of the pixels in percent,
        and annotations.

    Raises:
        DataLayoutError: The folder holds files, or there are no images.
        SampleError: Two images have the same path but for the suffix, or a mask cannot be drawn.
    """
    check_empty(out)
    _check_images(images)
    palette = class_palette(classes, unlabelled)
    with folder_aside(out) as folder:
        counts = _write_all(folder, images, classes, unlabelled, palette, link)
        rows = _summary(images, classes, counts)
        _write_classes(folder / CLASSES, classes, palette, rows)
        draw_sheet(folder, classes, palette)
    return rows


def check_empty(out: Path) -> None:
    """Check that a folder can be written.

    Raises:
        DataLayoutError: It holds files, or is one.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataLayoutError(f'--out {out} exists and is not empty; choose another folder.')


def class_palette(classes: Sequence[str], unlabelled: str) -> list[list[int]]:
    """A colour for each class, RGB from 0 to 255: black for the class of unlabelled pixels.

    The first twenty are easy to tell apart.
    """
    twenty = (np.array(colormaps['tab20'].colors) * 255).round().astype(int)
    colours = iter([*twenty[::2].tolist(), *twenty[1::2].tolist(), *voc_palette()[1:].tolist()])
    return [[0, 0, 0] if name == unlabelled else next(colours) for name in classes]


def voc_palette() -> np.ndarray:
    """The colours of the ids 0 to 255 in Pascal VOC, RGB uint8 [256, 3].

    The lowest three bits of an id are the highest bits of red, green and blue, and so on.
    """
    ids = np.arange(256)[:, None]
    colours = sum((ids >> 3 * i + np.arange(3) & 1) << 7 - i for i in range(8))
    return colours.astype(np.uint8)


def draw_sheet(folder: Path, classes: Sequence[str], palette: Sequence[Sequence[int]]) -> None:
    """Draw some of the images with their masks, as ``FolderDataset`` reads them."""
    dataset = FolderDataset(
        images=str(folder / IMAGES),
        masks=str(folder / MASKS),
        classes=classes,
        pipeline=[LoadImageFromFile(), LoadCheckedAnnotations()],
    )
    rows = [_row(dataset[index], palette) for index in evenly_spaced(len(dataset), ON_SHEET)]
    image_grid(folder / SHEET, ['image', 'mask', 'overlay'], rows, classes, palette)


def _row(sample: dict, palette: Sequence[Sequence[int]]) -> list[np.ndarray]:
    image, mask = shrunk(sample['img'][..., ::-1]), shrunk(sample['gt_seg_map'])  # of BGR
    return [image, mask, overlay(image, mask, palette)]


def _check_images(images: Sequence[AnnotatedImage]) -> None:
    if not images:
        raise DataLayoutError('The annotations name no images; expected at least one.')
    seen: dict[Path, Path] = {}
    for image in images:
        stem = image.path.with_suffix('')
        if stem in seen:
            raise sample_error(
                image.path, f'{seen[stem]} as well', 'one image of a name',
                'Their masks would have the same name: remove or rename one of the two.',
            )  # fmt: skip
        seen[stem] = image.path


def _write_all(
    folder: Path,
    images: Sequence[AnnotatedImage],
    classes: Sequence[str],
    unlabelled: str,
    palette: Sequence[Sequence[int]],
    link: bool,
) -> np.ndarray:
    """Write images and masks; give the pixels of each id, [images, 256]."""
    colours = voc_palette()
    colours[: len(classes)] = palette
    ids = class_ids(classes, unlabelled)
    counts = np.zeros((len(images), VOID + 1), np.int64)
    for image, row in zip(track(images, 'Drawing masks'), counts, strict=True):
        mask = image.draw(*ids)
        row[:] = np.bincount(mask.ravel(), minlength=len(row))
        _write_image(image, folder / IMAGES / image.path, link)
        _write_mask(mask, colours, (folder / MASKS / image.path).with_suffix('.png'))
    return counts


def _write_image(image: AnnotatedImage, target: Path, link: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(image.image, bytes):
        target.write_bytes(image.image)
    elif link:
        target.symlink_to(image.image.resolve())
    else:
        shutil.copyfile(image.image, target)


def _write_mask(mask: np.ndarray, colours: np.ndarray, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(mask)
    picture.putpalette(colours.tobytes())
    picture.save(target)


def _summary(
    images: Sequence[AnnotatedImage], classes: Sequence[str], counts: np.ndarray
) -> list[dict]:
    annotations = Counter(name for image in images for name in image.names or ())
    are_masks = images[0].names is None
    rows = [(i, name) for i, name in enumerate(classes)] + [(VOID, 'void')]
    return [
        {
            'id': i,
            'class': name,
            'images': int((counts[:, i] > 0).sum()),
            '% of pixels': 100 * float(counts[:, i].sum() / counts.sum()),
            'annotations': None if are_masks else annotations[name],
        }
        for i, name in rows
        if i != VOID or counts[:, i].any()
    ]


def _write_classes(
    file: Path, classes: Sequence[str], palette: Sequence[Sequence[int]], rows: list[dict]
) -> None:
    content = {'classes': [*classes], 'palette': palette, 'counts': rows}
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding='utf-8')
