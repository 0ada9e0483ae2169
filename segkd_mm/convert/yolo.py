"""Reading of YOLO segmentation labels: a text file of polygons for each image."""

from functools import partial
from pathlib import Path

import yaml
from rich.progress import track

from segkd_mm.convert.annotated import AnnotatedImage, AnnotatedImages
from segkd_mm.convert.drawing import Shape, check_points, coco_polygons, draw_mask, smallest_last
from segkd_mm.convert.reading import check_image, files_named
from segkd_mm.datasets.folder_pairs import files_by_stem
from segkd_mm.datasets.layout import DataLayoutError
from segkd_mm.datasets.sample_error import sample_error

# Lists of names that labelling tools put beside the labels.
NO_LABELS = ('classes.txt', 'notes.txt', 'labels.txt', 'train.txt', 'val.txt', 'test.txt')
TOLERANCE = 0.01  # out of the image, as ultralytics has it


def read_yolo(annotations: Path, images: Path, names: list[str]) -> AnnotatedImages:
    """Read YOLO's text files: a line an object, ``CLASS x1 y1 x2 y2 ...``, x and y from 0 to 1.

    An image without a text file, or with an empty one, has no objects.

    Source: https://docs.ultralytics.com/datasets/segment/.

    Args:
        annotations: Folder of the text files, at any depth, with the same paths as the images.
        images: Folder of the images.
        names: Names of the classes by number.

    Raises:
        DataLayoutError: There are no text files or no images.
        SampleError: A line cannot be right, or there is no image for a text file.
    """
    found = files_named(annotations, '*.txt', 'YOLO')
    files = {
        file.relative_to(annotations).with_suffix('').as_posix(): file
        for file in found
        if file.name not in NO_LABELS
    }
    places = files_by_stem(images)
    for stem in sorted(files.keys() - places.keys()):
        raise sample_error(
            files[stem], f'no image {stem}.* in {images}', 'an image of the same path',
            'Give the folders that correspond, such as labels/train and images/train.',
        )  # fmt: skip
    stems = track(places, 'Reading annotations')
    read = [_image(places[stem], files.get(stem), images, names) for stem in stems]
    empty = len(places) - len(files)
    notes = [f'{empty} images have no text file, that is no objects.'] * bool(empty)
    return AnnotatedImages(names, read, 'background', names, notes=notes)


def read_names(file: Path) -> list[str]:
    """The names of the classes in a data.yaml, by number.

    Raises:
        DataLayoutError: The file does not exist.
        SampleError: It has no list of names.
    """
    if not file.is_file():
        raise DataLayoutError(f'--names {file} does not exist (looked in {Path.cwd()}).')
    try:
        content = yaml.safe_load(file.read_text(encoding='utf-8'))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise sample_error(file, f'no YAML ({error})', 'a data.yaml', 'Correct it.') from error
    names = content.get('names') if isinstance(content, dict) else None
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[i] for i in range(len(names))]
    if not isinstance(names, list) or not names:
        expected = "'names', a list, or names by number from 0"
        raise sample_error(file, f'names={names!r:.80}', expected, 'Correct it, or use --classes.')
    return [str(name) for name in names]


def _image(image: Path, file: Path | None, images: Path, names: list[str]) -> AnnotatedImage:
    size = check_image(str(file or image), image)
    lines = _lines(file) if file else []
    shapes = [
        _shape(f'{file}: line {i}', line, size, names)
        for i, line in enumerate(lines, 1)
        if line.strip()
    ]
    drawn = partial(draw_mask, smallest_last(shapes), size)
    return AnnotatedImage(image, image.relative_to(images), [s.name for s in shapes], drawn)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError as error:
        raise sample_error(file, 'no text', 'lines of numbers', 'Export it again.') from error


def _shape(where: str, line: str, size: tuple[int, int], names: list[str]) -> Shape:
    try:
        number, *values = map(float, line.split())
    except ValueError:
        number, values = -1.0, []
    _check_line(where, line, number, values, names)
    height, width = size
    scaled = [value * (height if i % 2 else width) for i, value in enumerate(values)]
    return coco_polygons(names[int(number)], [check_points(where, scaled, size)], size)


def _check_line(
    where: str, line: str, number: float, values: list[float], names: list[str]
) -> None:
    if number == -1 or len(values) % 2:
        advice = 'Correct or remove the line.'
        raise sample_error(where, f'{line!r:.80}', 'CLASS x1 y1 x2 y2 x3 y3 ...', advice)
    if len(values) == 4:
        raise sample_error(
            where, f'a box, {line!r:.80}', 'a polygon, CLASS x1 y1 x2 y2 x3 y3 ...',
            'Boxes do not show which pixels belong to an object: export the labels as '
            'segmentation, or annotate outlines.',
        )  # fmt: skip
    if number not in range(len(names)):
        expected = f'0 to {len(names) - 1} ({", ".join(names)})'
        advice = 'Give all names with --names data.yaml, or with --classes.'
        raise sample_error(where, f'the class {number:g}', expected, advice)
    if any(value > 1 + TOLERANCE or value < -TOLERANCE for value in values):
        advice = 'Divide x by the width and y by the height of the image.'
        raise sample_error(where, f'{line!r:.80}', 'coordinates from 0 to 1', advice)
