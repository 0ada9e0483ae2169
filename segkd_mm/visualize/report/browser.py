"""The images of a report: which are shown, their scores, and their pictures as data URIs."""

import math
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO

import numpy as np
from PIL import Image
from rich.progress import track

from segkd_mm.evaluation import mean_iou
from segkd_mm.visualize.band_pictures import read_picture
from segkd_mm.visualize.label_maps import (
    LabelMapIndex,
    label_map_file,
    palette_bytes,
    read_label_map,
)
from segkd_mm.visualize.report.runs import Run
from segkd_mm.visualize.report.scores import ImageScore, image_score

BOUND = 64_000_000  # bytes of pictures in a report
SIDES = 640, 512, 384, 288, 216, 160  # pixels of the longer side; the first that stays below BOUND
SAMPLED = 8  # images of which the bytes are estimated
QUALITY = 82
MARK = 214, 39, 40  # RGB of wrong pixels


@dataclass(frozen=True)
class RunMaps:
    """The label maps of a run: their folder, their index, and the name of each image file."""

    run: Run
    index: LabelMapIndex
    names: Mapping[str, str]

    @classmethod
    def read(cls, run: Run) -> 'RunMaps':
        """Read the index of the label maps of a run that has them."""
        index = LabelMapIndex.read(run.label_maps)
        return cls(run, index, {file: name for name, file in index.images.items()})

    def read_map(self, kind: str, image: str) -> np.ndarray:
        """The mask (``truth``) or the label map (``prediction``) of an image file."""
        return read_label_map(label_map_file(self.run.label_maps, kind, self.names[image]))


@dataclass
class Browser:
    """What the page shows of images, and the confusion matrices of all images by run."""

    classes: Sequence[str] = ()
    palette: Sequence[Sequence[int]] = ()
    runs: list[str] = field(default_factory=list)
    total: int = 0
    side: int = 0
    entries: list[dict] = field(default_factory=list)
    pictures: list[dict[str, str]] = field(default_factory=list)
    confusions: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def make_browser(runs: Sequence[Run], number: int) -> Browser:
    """The images that all runs with label maps were tested on, at most ``number`` of them.

    They are taken evenly over the mIoU of the first run. A run is left out, with a note, if it has
    other classes or images, or if its label maps are not those of its result.

    Raises:
        OSError, ValueError: A label map is missing or damaged.
    """
    browser = Browser()
    maps = _alike([RunMaps.read(run) for run in runs if run.label_maps], browser)
    scores = {one.run.name: _scores(one) for one in maps}
    maps = [one for one in maps if _is_of_result(one, scores[one.run.name], browser)]
    if not maps:
        return browser
    index = maps[0].index
    browser.classes, browser.palette, browser.total = (
        index.classes,
        index.palette,
        len(index.images),
    )
    browser.runs = [one.run.name for one in maps]
    for name in browser.runs:
        browser.confusions[name] = sum(score.confusion for score in scores[name].values())
    first = scores[browser.runs[0]]
    ranked = sorted(first, key=lambda image: (math.isnan(first[image].miou), first[image].miou))
    chosen = evenly(ranked, number)
    _add_pictures(browser, maps, chosen)
    for image in chosen[: len(browser.pictures)]:
        browser.entries.append(
            {
                'name': maps[0].names[image],
                'scores': [entry(scores[name][image]) for name in browser.runs],
            }
        )
    return browser


def evenly(items: Sequence, number: int) -> list:
    """At most ``number`` of the items, the first and the last among them, evenly between."""
    places = np.linspace(0, len(items) - 1, min(number, len(items))).round().astype(int)
    return [items[place] for place in places]


def entry(score: ImageScore) -> dict:
    """The scores of an image as the page reads them."""
    miou = None if math.isnan(score.miou) else round(score.miou, 1)
    return {'miou': miou, 'iou': score.iou, 'recall': score.recall, 'errors': score.errors}


def _alike(maps: Sequence[RunMaps], browser: Browser) -> list[RunMaps]:
    """Those with the classes and the images of the first."""
    kept = []
    for one in maps:
        if list(one.index.classes) != list(maps[0].index.classes):
            browser.notes.append(f'{one.run.name} has other classes; its images are not shown.')
        elif set(one.names) != set(maps[0].names):
            browser.notes.append(f'{one.run.name} has other test images; they are not shown.')
        else:
            kept.append(one)
    return kept


def _scores(maps: RunMaps) -> dict[str, ImageScore]:
    """The score of each image file."""
    classes = len(maps.index.classes)
    images = bar(maps.names, f'scores of {maps.run.name}')
    return {
        image: image_score(
            *(maps.read_map(kind, image) for kind in ('truth', 'prediction')), classes
        )
        for image in images
    }


def bar(images: Sequence[str], description: str) -> Iterable[str]:
    """The images, with a progress bar where the terminal shows one."""
    return track(images, description, transient=True, disable=not sys.stdout.isatty())


def _is_of_result(maps: RunMaps, scores: Mapping[str, ImageScore], browser: Browser) -> bool:
    """Whether the label maps give the mIoU of the result; a later test may have replaced them."""
    miou = mean_iou(sum(score.confusion for score in scores.values()))
    if maps.run.miou is None or abs(miou - maps.run.miou) < 0.02:  # results have two decimals
        return True
    browser.notes.append(
        f'The label maps in {maps.run.label_maps} have an mIoU of {miou:.2f}, but '
        f'{maps.run.result.name} of {maps.run.name} says {maps.run.miou:.2f}: they are of another '
        'test, and not shown. Run the test again.'
    )
    return False


def _add_pictures(browser: Browser, maps: Sequence[RunMaps], images: Sequence[str]) -> None:
    """Add the pictures of the images at the largest size at which they stay below the bound."""
    make = partial(picture_set, maps)
    for browser.side in SIDES:
        sample = [_bytes(make(image, browser.side)) for image in evenly(images, SAMPLED)]
        if np.mean(sample) * len(images) < 0.9 * BOUND:
            break
    used = 0
    for image in bar(images, 'pictures'):
        pictures = make(image, browser.side)
        used += _bytes(pictures)
        if used > BOUND:
            browser.notes.append(f'Only {len(browser.pictures)} images, as more exceed 64 MB.')
            break
        browser.pictures.append(pictures)
    gone = [
        image
        for image, pictures in zip(images, browser.pictures, strict=False)
        if 'image' not in pictures
    ]
    if gone:
        browser.notes.append(f'{len(gone)} image files are no longer there, such as {gone[0]}.')


def picture_set(maps: Sequence[RunMaps], image: str, side: int) -> dict[str, str]:
    """Data URIs of an image: ``image`` (if it can be read), ``truth``, and by the number of the run
    ``prediction0``, ``errors0`` and, from the second run on, ``differs1`` from the first.
    """
    palette = palette_bytes(maps[0].index.palette)
    truth = shrunk_ids(maps[0].read_map('truth', image), side)
    pictures = {**_image(image, truth.shape), 'truth': map_uri(truth, palette)}
    predictions = [shrunk_ids(one.read_map('prediction', image), side) for one in maps]
    counted = truth < len(maps[0].index.classes)
    for number, prediction in enumerate(predictions):
        pictures[f'prediction{number}'] = map_uri(prediction, palette)
        pictures[f'errors{number}'] = marks_uri((prediction != truth) & counted)
        if number:
            pictures[f'differs{number}'] = marks_uri(prediction != predictions[0])
    return pictures


def shrunk_ids(ids: np.ndarray, side: int) -> np.ndarray:
    """Class ids [H, W] whose longer side has at most ``side`` pixels, by the nearest neighbour."""
    height, width = ids.shape
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(ids).resize(size, Image.Resampling.NEAREST))


def map_uri(ids: np.ndarray, palette: bytes) -> str:
    """A PNG with a palette, of class ids [H, W]."""
    picture = Image.fromarray(ids)
    picture.putpalette(palette)
    return _uri(picture, 'png')


def marks_uri(marked: np.ndarray) -> str:
    """A PNG that is red where ``marked`` [H, W] is true, and transparent elsewhere."""
    picture = Image.fromarray(marked.astype(np.uint8))
    picture.putpalette([0, 0, 0, *MARK])
    return _uri(picture, 'png', bits=1, transparency=0)


def _image(image: str, shape: tuple[int, int]) -> dict[str, str]:
    try:
        pixels = read_picture(image)
    except OSError:
        return {}
    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert('RGB')
    picture = picture.resize(shape[::-1], Image.Resampling.LANCZOS)
    return {'image': _uri(picture, 'jpeg', quality=QUALITY)}


def _uri(picture: Image.Image, kind: str, **options) -> str:
    content = BytesIO()
    picture.save(content, format=kind, **options)
    return f'data:image/{kind};base64,{b64encode(content.getvalue()).decode()}'


def _bytes(pictures: Mapping[str, str]) -> int:
    return sum(map(len, pictures.values()))


def layers(browser: Browser) -> Iterator[dict]:
    """The pictures that a reader can choose, as the page reads them: key, title and kind."""
    yield {'key': 'image', 'title': 'image', 'kind': 'image'}
    yield {'key': 'truth', 'title': 'truth', 'kind': 'labels'}
    several = len(browser.runs) > 1
    for number, name in enumerate(browser.runs):
        of = f' of {name}' if several else ''
        yield {'key': f'prediction{number}', 'title': f'prediction{of}', 'kind': 'labels'}
        yield {'key': f'errors{number}', 'title': f'errors{of}', 'kind': 'marks'}
    for number, name in enumerate(browser.runs[1:], 1):
        title = f'where {name} differs from {browser.runs[0]}'
        yield {'key': f'differs{number}', 'title': title, 'kind': 'marks'}
