"""From the bytes of an image file to those of a PNG: its label map, or an overlay of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from segkd_mm.datasets.eight_bits import check_eight_bits
from segkd_mm.datasets.sample_error import SampleError
from segkd_mm.deploy import Predictor
from segkd_mm.serve.image_check import checked_ending
from segkd_mm.serve.refusal import Refusal
from segkd_mm.visualize.band_pictures import read_picture
from segkd_mm.visualize.label_maps import label_map_picture
from segkd_mm.visualize.videos import named_overlay

WARM_UP = 64  # height and width of an image, in pixels


def warm_up(predictor: Predictor) -> None:
    """Predict a black image: the first takes longest, and shows that the file can be run."""
    channels = predictor.model.runtime.channels
    predictor.predict(np.zeros((WARM_UP, WARM_UP, channels), np.uint8))


class Labeller:
    """Label maps of uploaded images: those that `segkd predict` gives of their files.

    Args:
        predictor: Of an exported file.
        max_pixels: Height times width of an image, at most.

    Attributes:
        bands: That a model of ``LoadBands`` takes; None for three channels of 8 bits.
    """

    def __init__(self, predictor: Predictor, max_pixels: int) -> None:
        self._predictor, self._max_pixels = predictor, max_pixels
        runtime = predictor.model.runtime
        loader = runtime.metadata.get('loader', {})  # not in older files
        self.bands = runtime.channels if loader.get('type') == 'LoadBands' else None

    def label_map(self, content: bytes) -> bytes:
        """The label map of an image file: a PNG, see ``label_map_picture``.

        Raises:
            Refusal: The model does not take the image.
        """
        with self._file(content) as file:
            return _png(label_map_picture(self._labels(file), self._predictor.palette))

    def overlay(self, content: bytes) -> bytes:
        """An image file with its label map over it: an RGB PNG, see ``named_overlay``.

        Raises:
            Refusal: The model does not take the image.
        """
        names = self._predictor.classes, self._predictor.palette
        with self._file(content) as file:
            labels = self._labels(file)
            return _png(Image.fromarray(named_overlay(read_picture(file), labels, *names)))

    @contextmanager
    def _file(self, content: bytes) -> Iterator[Path]:
        """A file with the image: the loaders of images read no bytes."""
        ending = checked_ending(content, self._max_pixels, self.bands)
        with TemporaryDirectory(prefix='segkd-serve-') as folder:
            file = Path(folder, f'image{ending}')
            file.write_bytes(content)
            yield file

    def _labels(self, file: Path) -> np.ndarray:
        if not self.bands:
            with _refused('Save it with 8 bits a channel.'):
                check_eight_bits(file)
        with _refused():
            return self._predictor.predict(file)


@contextmanager
def _refused(advice: str | None = None) -> Iterator[None]:
    """Context in which an image that a loader does not take is refused.

    Args:
        advice: What to do, in place of what the error says to who trains a model.
    """
    try:
        yield
    except SampleError as error:
        found, expected, to_do = (error.parts[key] for key in ('found', 'expected', 'what to do'))
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        raise Refusal(status, found, expected, advice or to_do) from None


def _png(picture: Image.Image) -> bytes:
    content = BytesIO()
    picture.save(content, 'PNG')
    return content.getvalue()
