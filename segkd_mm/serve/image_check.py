"""Check of an uploaded image before it is decoded: format, pixels, transparency, bands."""

from http import HTTPStatus
from io import BytesIO

from PIL import Image

from segkd_mm.datasets.band_files import opened_tiff
from segkd_mm.serve.refusal import Refusal

# The formats that are taken, with the endings by which the loaders of images choose a decoder.
FORMATS = {
    'JPEG': '.jpg', 'PNG': '.png', 'WEBP': '.webp', 'BMP': '.bmp', 'TIFF': '.tif', 'PPM': '.ppm',
}  # fmt: skip
# Pillow's name of a JPEG file with several images, as some cameras write; the first is taken.
SEVERAL_JPEGS = 'MPO'
TRANSPARENT = 'RGBA', 'RGBa', 'LA', 'La', 'PA'  # Pillow's modes
TIFF_MARKS = b'II*\0', b'MM\0*'


def checked_ending(content: bytes, max_pixels: int, bands: int | None) -> str:
    """The ending of the name that an image gets as a file.

    Only the head of the image is read: one of a few bytes may have more pixels than the memory.

    Args:
        content: The image file.
        max_pixels: Height times width, at most.
        bands: That a model of ``LoadBands`` takes; None for three channels of 8 bits.

    Raises:
        Refusal: It is no image of ``FORMATS``, has too many pixels, or is transparent, or a TIFF of
            other bands.
    """
    try:
        if bands and content.startswith(TIFF_MARKS):
            return _checked_tiff(content, max_pixels, bands)
        with Image.open(BytesIO(content), formats=[*FORMATS]) as image:
            return _checked(image, max_pixels, is_colour=not bands)
    except (ImportError, Refusal):
        raise
    except Image.DecompressionBombError:  # from twice the bound of OpenCV on
        raise _too_many('an image of billions of pixels', max_pixels) from None
    except Exception:  # decoders raise all kinds
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f'{len(content)} bytes that begin no such image',
            f'an image file: {", ".join(FORMATS)}', 'Save it in one of these formats.',
        ) from None  # fmt: skip


def _checked(image: Image.Image, max_pixels: int, is_colour: bool) -> str:
    _check_pixels(image.width, image.height, max_pixels)
    if is_colour and (image.mode in TRANSPARENT or 'transparency' in image.info):
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY, f'an image with transparency ({image.mode})',
            'one without: the model takes three channels', 'Save it without, on a background.',
        )  # fmt: skip
    return FORMATS['JPEG' if image.format == SEVERAL_JPEGS else image.format]


def _checked_tiff(content: bytes, max_pixels: int, bands: int) -> str:
    """As :func:`_checked`, of a TIFF, which may have more bands than Pillow knows."""
    with opened_tiff(BytesIO(content)) as tiff:
        _check_pixels(tiff.width, tiff.height, max_pixels)
        if tiff.count != bands:
            raise Refusal(
                HTTPStatus.UNPROCESSABLE_ENTITY, f'a TIFF of {tiff.count} bands', str(bands),
                'Send the bands that the model was trained with.',
            )  # fmt: skip
    return FORMATS['TIFF']


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise _too_many(f'an image of {width} x {height} pixels', max_pixels)


def _too_many(found: str, max_pixels: int) -> Refusal:
    status, advice = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 'Send a smaller image, or parts of it.'
    return Refusal(status, found, f'{max_pixels} pixels at most', advice)
