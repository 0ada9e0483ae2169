"""Reading of COCO annotations: polygons and run lengths in one JSON file."""

from collections import defaultdict
from collections.abc import Container
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import track

from segkd_mm.convert.annotated import AnnotatedImage, AnnotatedImages
from segkd_mm.convert.drawing import (
    Shape,
    check_points,
    coco_polygons,
    coco_runs,
    draw_mask,
    smallest_last,
)
from segkd_mm.convert.reading import check_image, inside, read_json, size_of, value_of
from segkd_mm.datasets.sample_error import sample_error


def read_coco(annotations: Path, images: Path) -> AnnotatedImages:
    """Read a COCO file of instances; crowds (``iscrowd``) are drawn like other annotations.

    Source: https://cocodataset.org/#format-data and pycocotools.

    Args:
        annotations: The JSON file.
        images: Folder of the images, which ``file_name`` is relative to.

    Raises:
        DataLayoutError: The JSON file does not exist.
        SampleError: Its content cannot be right; names the entry.
    """
    content = read_json(annotations)
    categories = _by_id(annotations, content, 'categories')
    names = {key: value_of(*entry, 'name', str) for key, entry in categories.items()}
    entries = _by_id(annotations, content, 'images')
    by_image = _by_image(annotations, content, entries)
    found = [
        _image(where, entry, images, by_image[key], names)
        for key, (where, entry) in track(entries.items(), 'Reading annotations')
    ]
    classes = list(dict.fromkeys(names.values()))
    return AnnotatedImages(classes, found, 'background', classes)


def _by_id(file: Path, content: Any, key: str) -> dict[int, tuple[str, dict]]:
    """The entries of a list by id, in the order of the ids, each with its place for errors."""
    found = {}
    for i, entry in enumerate(value_of(str(file), content, key, list)):
        where = f'{file}: {key}[{i}]'
        number = value_of(where, entry, 'id', int)
        if number in found:
            advice = 'Two files were joined without new ids: give each entry its own.'
            raise sample_error(where, f'the id {number} again', 'another id', advice)
        found[number] = where, entry
    return dict(sorted(found.items()))


def _by_image(file: Path, content: Any, images: Container[int]) -> dict[int, list]:
    """The annotations of each image by its id, each with its place for errors."""
    found = defaultdict(list)
    for i, annotation in enumerate(value_of(str(file), content, 'annotations', list)):
        where = f'{file}: annotations[{i}]'
        image = value_of(where, annotation, 'image_id', int)
        if image not in images:
            advice = 'Add the image to "images", or remove the annotation.'
            raise sample_error(where, f'image_id {image}', 'the id of one of "images"', advice)
        found[image].append((where, annotation))
    return found


def _image(
    where: str, entry: dict, images: Path, annotations: list, names: dict[int, str]
) -> AnnotatedImage:
    name = value_of(where, entry, 'file_name', str)
    image = inside(images, images, name)
    if image is None:
        advice = 'Names must be relative to the folder of --images and lie in it.'
        raise sample_error(where, f'file_name {name!r}', f'a file in {images}', advice)
    size = check_image(where, image, size_of(where, entry, 'height', 'width'))
    shapes = [_shape(place, annotation, size, names) for place, annotation in annotations]
    return AnnotatedImage(
        image,
        image.relative_to(images),
        [shape.name for shape in shapes],
        partial(draw_mask, smallest_last(shapes), size),
    )


def _shape(where: str, annotation: dict, size: tuple[int, int], names: dict[int, str]) -> Shape:
    category = value_of(where, annotation, 'category_id', int)
    if category not in names:
        raise sample_error(
            where, f'category_id {category}', f'one of categories, {_listed(names)}',
            'Add the category, or remove the annotation.',
        )  # fmt: skip
    outline = annotation.get('segmentation')
    if not outline or not isinstance(outline, list | dict):
        raise sample_error(
            where, 'no segmentation', 'polygons or a run-length encoding',
            'Boxes do not show which pixels belong to an object: annotate outlines, or remove it.',
        )  # fmt: skip
    if isinstance(outline, dict):
        return coco_runs(names[category], where, outline, size)
    polygons = [check_points(where, points, size) for points in outline]
    return coco_polygons(names[category], polygons, size)


def _listed(names: dict[int, str]) -> str:
    return ', '.join(f'{key} ({name})' for key, name in names.items())
