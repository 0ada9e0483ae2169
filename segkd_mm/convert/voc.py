"""Reading of Pascal VOC masks: a PNG of class ids, with a palette, for each image."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from mmseg.utils import voc_classes
from rich.progress import track

from segkd_mm.convert.annotated import AnnotatedImage, AnnotatedImages
from segkd_mm.convert.reading import files_named, upright_size
from segkd_mm.datasets.folder_pairs import files_by_stem
from segkd_mm.datasets.folder_values import VOID_NAME
from segkd_mm.datasets.mask_values import read_mask
from segkd_mm.datasets.orientation import upright_mask
from segkd_mm.datasets.sample_error import sample_error
from segkd_mm.labels import VOID

VOC_CLASSES = ' '.join(voc_classes())


def read_voc(annotations: Path, images: Path, names: list[str]) -> AnnotatedImages:
    """Read masks whose pixels are class ids, 255 is void: SegmentationClass of VOC 2012.

    Images without a mask are left out, as VOC has many.

    Source: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html.

    Args:
        annotations: Folder of the masks, at any depth.
        images: Folder of the images, with the same paths: JPEGImages.
        names: Names of the classes by id; 'void' where nothing counts.

    Raises:
        DataLayoutError: There are no masks or no images.
        SampleError: There is no image for a mask, or a mask cannot be right.
    """
    masks = files_named(annotations, '*.png', 'masks of Pascal VOC')
    places = files_by_stem(images)
    found = []
    for mask in track(masks, 'Reading annotations'):
        stem = mask.relative_to(annotations).with_suffix('').as_posix()
        if stem not in places:
            advice = 'Give the folder with --images, such as JPEGImages, or remove the mask.'
            raise sample_error(mask, f'no image {stem}.* in {images}', 'its image', advice)
        found.append(_image(mask, places[stem], images, names))
    left_out = len(places) - len(masks)
    notes = [f'{left_out} images have no mask and were left out.'] * bool(left_out)
    classes = [name for name in names if name != VOID_NAME]
    return AnnotatedImages(classes, found, VOID_NAME, classes, overlaps=None, notes=notes)


def _image(mask: Path, image: Path, images: Path, names: list[str]) -> AnnotatedImage:
    drawn = partial(_mask, mask, image, names)
    return AnnotatedImage(image, image.relative_to(images), None, drawn)


def _mask(
    file: Path, image: Path, names: list[str], ids: Mapping[str, int], unlabelled: int
) -> np.ndarray:
    """The mask as it fits its upright image, in the class ids of the output."""
    values = read_mask(str(file), file.read_bytes(), len(names))
    mask = upright_mask(values, str(file), str(image), upright_size(image))
    lookup = np.full(256, VOID, np.uint8)
    lookup[: len(names)] = [ids.get(name, unlabelled) for name in names]
    return cv2.LUT(mask, lookup)
