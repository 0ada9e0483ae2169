"""Hook that sends pictures of some validation images to the trackers of a training."""

from collections.abc import Sequence

import numpy as np
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample

from segkd_mm.evenly_spaced import evenly_spaced


@HOOKS.register_module()
class SamplePredictionsHook(Hook):
    """Show some validation images in the visualizer: the image, its mask and its label map.

    Args:
        count: Number of images, evenly spaced over the data set.
    """

    def __init__(self, count: int = 4) -> None:
        self.count = count

    def before_val_epoch(self, runner: Runner) -> None:
        dataset = runner.val_loop.dataloader.dataset
        own = range(0, len(dataset), get_world_size())  # what the first process sees
        chosen = [own[index] for index in evenly_spaced(len(own), self.count)]
        self.files = [dataset.get_data_info(index)['img_path'] for index in chosen]

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[SegDataSample] = (),
    ) -> None:
        if not is_main_process():
            return
        palette = runner.val_loop.dataloader.dataset.metainfo['palette']
        for sample in (one for one in outputs if one.img_path in self.files):
            name = f'val_sample_{self.files.index(sample.img_path)}'
            runner.visualizer.add_image(name, _picture(sample, palette), step=runner.iter)


def _picture(sample: SegDataSample, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """The image, the overlay of its mask and that of its label map, RGB uint8 [h, w, 3]."""
    from segkd_mm.visualize.band_pictures import read_picture
    from segkd_mm.visualize.overlays import overlay, shrunk  # imports matplotlib

    both = sample.gt_sem_seg.data, sample.pred_sem_seg.data
    masks = [ids.reshape(ids.shape[-2:]).long().cpu().numpy() for ids in both]
    image = shrunk(read_picture(sample.img_path))
    return np.hstack([image, *(overlay(image, shrunk(mask), palette) for mask in masks)])
