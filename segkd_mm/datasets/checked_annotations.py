"""Loading of masks with a check of each sample."""

import numpy as np
from mmengine import fileio
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

from segkd_mm.datasets.mask_values import MAX_CLASSES, read_mask
from segkd_mm.datasets.orientation import upright_mask
from segkd_mm.datasets.sample_error import check_size
from segkd_mm.datasets.unlabelled import MarkUnlabelled


@TRANSFORMS.register_module()
class LoadCheckedAnnotations(LoadAnnotations):
    """``LoadAnnotations`` that checks each mask and its image as they are loaded.

    A sample without a mask, as in prediction, stays without; with ``results['unlabelled']`` it gets
    one of ``UNLABELLED``.

    Raises:
        SampleError: At the call: the image is only a pixel wide or high; or the mask cannot be
            decoded, is of colours or of numbers that are not whole, holds ids outside of the
            classes, or does not fit its image. It names the file.
    """

    def __init__(self, backend_args: dict | None = None) -> None:
        super().__init__(backend_args=backend_args)

    def transform(self, results: dict) -> dict:
        if results.get('unlabelled'):
            return MarkUnlabelled()(results)
        if 'img' in results:
            check_size(results['img'], results['img_path'])
        return super().transform(results) if 'seg_map_path' in results else results

    def _load_seg_map(self, results: dict) -> None:
        results['gt_seg_map'] = self._mask(results)
        results['seg_fields'].append('gt_seg_map')

    def _mask(self, results: dict) -> np.ndarray:
        file = results['seg_map_path']
        mask = read_mask(
            file,
            fileio.get(file, self.backend_args),
            # Data sets of mmseg's do not say it.
            results.get('num_classes', MAX_CLASSES),
            results.get('label_map'),
            results['reduce_zero_label'],
        )
        if 'img' not in results:
            return mask
        # mmseg's test pipelines resize the image before they load the mask.
        return upright_mask(mask, file, results['img_path'], results['ori_shape'])
