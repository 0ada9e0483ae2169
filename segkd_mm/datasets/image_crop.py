"""Loading of a random crop of a large TIFF image and its mask, without decoding the rest."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from mmcv.transforms import BaseTransform
from mmseg.registry import TRANSFORMS

from segkd_mm.datasets.band_files import opened_tiff
from segkd_mm.datasets.bands import check_upright, checked_bands
from segkd_mm.datasets.mask_values import MAX_CLASSES, class_ids
from segkd_mm.datasets.orientation import other_size
from segkd_mm.datasets.resize_crop_flip import Window, draw_window_slices
from segkd_mm.datasets.sample_error import sample_error
from segkd_mm.datasets.unlabelled import MarkUnlabelled
from segkd_mm.libraries import import_library

if TYPE_CHECKING:
    from rasterio.io import DatasetReader


@TRANSFORMS.register_module()
class LoadImageCrop(BaseTransform):
    """Load a random crop of a TIFF image and of its TIFF mask, in the place of the whole ones.

    Of tiled files only the tiles of the crop are decoded, of others the rows. It replaces the
    loader of images and ``LoadCheckedAnnotations`` in a training pipeline; what follows sees the
    crop as an image. It sets ``results['crop_to_image']`` as ``RandomResizeCropFlip`` does.

    Args:
        crop_size: Height and width, H and W. A smaller image is loaded whole.
        channels: Number of bands, of which the image is loaded as by ``LoadBands``; None for red,
            green and blue of 8 bits, which are loaded as by ``LoadImageFromFile``.

    Raises:
        ImportError: rasterio is not installed.
        SampleError: At the call: a file is no TIFF or is damaged, the image has other bands or an
            EXIF orientation, or the mask has another size or holds an id that is no class.
    """

    def __init__(self, crop_size: tuple[int, int], channels: int | None = None) -> None:
        import_library('rasterio', 'large')
        self.crop_size = crop_size
        self.channels = channels

    def transform(self, results: dict) -> dict:
        with _opened(results['img_path']) as image:
            size = image.height, image.width
            rows, columns = window = draw_window_slices(size, self.crop_size)
            results['img'] = self._pixels(image, window, results['img_path'])
        results.update(
            img_shape=results['img'].shape[:2],
            ori_shape=size,
            crop_to_image=np.array([[1.0, 0, columns.start], [0, 1, rows.start]]),
        )
        if results.get('unlabelled'):
            return MarkUnlabelled()(results)
        if 'seg_map_path' in results:
            results['gt_seg_map'] = _mask(results, window)
            results['seg_fields'].append('gt_seg_map')
        return results

    def _pixels(self, image: 'DatasetReader', window: Window, file: str) -> np.ndarray:
        """The window of the image, [H, W, C]: BGR of uint8, or ``channels`` of float32."""
        check_upright(file)
        if self.channels is None:
            _check_colours(image, file)
        pixels = image.read(window=window)
        if self.channels is None:
            return np.ascontiguousarray(pixels[::-1].transpose(1, 2, 0))
        return checked_bands(pixels.transpose(1, 2, 0), self.channels, file)


@contextmanager
def _opened(file: str) -> Iterator['DatasetReader']:
    """A TIFF file, opened.

    Raises:
        SampleError: It is none, or is damaged.
    """
    rasterio = import_library('rasterio', 'large')
    try:
        with opened_tiff(file) as opened:
            yield opened
    except rasterio.errors.RasterioError as error:
        raise sample_error(
            file, f'no whole TIFF ({error})', 'a TIFF file, best in tiles',
            'Convert it: gdal_translate -co TILED=YES -co COMPRESS=DEFLATE IMAGE IMAGE.tif.',
        ) from error  # fmt: skip


def _check_colours(image: 'DatasetReader', file: str) -> None:
    if image.count != 3 or set(image.dtypes) != {'uint8'}:
        found = f'{image.count} bands of {", ".join(sorted(set(image.dtypes)))}'
        raise sample_error(
            file, found, 'red, green and blue of uint8',
            f'Give LoadImageCrop channels={image.count}, or convert it.',
        )  # fmt: skip


def _mask(results: dict, window: Window) -> np.ndarray:
    """The window of the mask, uint8 [H, W] of class ids and ``VOID``."""
    file = results['seg_map_path']
    with _opened(file) as mask:
        if (size := (mask.height, mask.width)) != results['ori_shape']:
            raise other_size(file, size, results['img_path'], results['ori_shape'])
        pixels = mask.read(window=window)
    pixels = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    return class_ids(
        file,
        pixels,
        results.get('num_classes', MAX_CLASSES),
        results.get('label_map'),
        results['reduce_zero_label'],
    )
