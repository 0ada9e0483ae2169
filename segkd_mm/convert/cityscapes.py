"""Reading of Cityscapes' polygons: a JSON file for each image."""

from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import track

from segkd_mm.convert.annotated import AnnotatedImage, AnnotatedImages
from segkd_mm.convert.drawing import Shape, check_points, draw_mask, polygon
from segkd_mm.convert.reading import check_image, files_named, read_json, size_of, value_of
from segkd_mm.datasets.cityscapes_half import LABEL_IDS
from segkd_mm.datasets.folder_pairs import files_by_stem
from segkd_mm.datasets.folder_values import VOID_NAME
from segkd_mm.datasets.sample_error import sample_error
from segkd_mm.hints import did_you_mean

SUFFIX = '_polygons.json'
# In the order of their ids (cityscapesScripts, helpers/labels.py).
LABELS = (
    'unlabeled', 'ego vehicle', 'rectification border', 'out of roi', 'static', 'dynamic', 'ground',
    'road', 'sidewalk', 'parking', 'rail track', 'building', 'wall', 'fence', 'guard rail',
    'bridge', 'tunnel', 'pole', 'polegroup', 'traffic light', 'traffic sign', 'vegetation',
    'terrain', 'sky', 'person', 'rider', 'car', 'truck', 'bus', 'caravan', 'trailer', 'train',
    'motorcycle', 'bicycle',
)  # fmt: skip
NOT_DRAWN = 'license plate'  # its id is -1
GROUP = 'group'


def read_cityscapes(annotations: Path, images: Path, all_labels: bool) -> AnnotatedImages:
    """Read ``*_polygons.json``; polygons are drawn in their order, so that later ones are on top.

    As cityscapesScripts does: deleted polygons and licence plates are not drawn, and a group such
    as 'cargroup' counts as its class. The masks are equal to its ``*_labelTrainIds.png``, or with
    ``all_labels`` to its ``*_labelIds.png``.

    Source: cityscapesScripts (preparation/json2labelImg.py, helpers/labels.py).

    Args:
        annotations: Folder of the JSON files, such as gtFine/train.
        images: Folder of the images, such as leftImg8bit/train.
        all_labels: Keep all labels; else those with a train id, and the others are void.

    Raises:
        DataLayoutError: There are no JSON files or no images.
        SampleError: The content of one cannot be right, or its image is missing.
    """
    files = files_named(annotations, '*' + SUFFIX, 'Cityscapes')
    places = files_by_stem(images)
    found = []
    for file in track(files, 'Reading annotations'):
        image = _image_of(file, file.relative_to(annotations), places, images)
        found.append(_image(file, image, images))
    classes = list(LABELS) if all_labels else [LABELS[i] for i in LABEL_IDS]
    unlabelled = LABELS[0] if all_labels else VOID_NAME
    return AnnotatedImages(LABELS, found, unlabelled, classes, overlaps='the later one in the file')


def _image_of(file: Path, relative: Path, places: dict[str, Path], images: Path) -> Path:
    """The image of a JSON file: aachen_000000_000019_gtFine_polygons -> ..._leftImg8bit."""
    name = relative.name.removesuffix(SUFFIX)
    stems = (name.rpartition('_gt')[0] + '_leftImg8bit', name)
    for stem in stems:
        if image := places.get((relative.parent / stem).as_posix()):
            return image
    raise sample_error(
        file, f'no image {relative.parent / stems[0]}.* in {images}', 'its image',
        'Give the folders that correspond, such as gtFine/train and leftImg8bit/train.',
    )  # fmt: skip


def _image(file: Path, image: Path, images: Path) -> AnnotatedImage:
    content = read_json(file)
    size = check_image(str(file), image, size_of(str(file), content, 'imgHeight', 'imgWidth'))
    objects = enumerate(value_of(str(file), content, 'objects', list))
    read = [_shape(f'{file}: objects[{i}]', entry, size) for i, entry in objects]
    shapes = [shape for shape in read if shape]
    drawn = partial(draw_mask, shapes, size)
    return AnnotatedImage(image, image.relative_to(images), [s.name for s in shapes], drawn)


def _shape(where: str, entry: Any, size: tuple[int, int]) -> Shape | None:
    """A polygon; None where it is not drawn."""
    label = value_of(where, entry, 'label', str)
    if entry.get('deleted') or label == NOT_DRAWN:
        return None
    name = label if label in LABELS else label.removesuffix(GROUP)
    if name not in LABELS:
        expected = f'a label of Cityscapes{did_you_mean(label, LABELS)}'
        advice = 'Correct the label. For labels of your own, use another format, such as labelme.'
        raise sample_error(where, f'the label {label!r}', expected, advice)
    return polygon(name, check_points(where, value_of(where, entry, 'polygon', list), size))
