"""Hook that writes a picture of each test image with its mask and label map."""

import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from mmseg.structures import SegDataSample

from segkd_mm.evenly_spaced import evenly_spaced


@HOOKS.register_module()
class PredictionPicturesHook(Hook):
    """Write ``FOLDER/<name of the image>.png`` with image, mask, label map and a legend.

    The names are those of :func:`segkd_mm.visualize.overlays.picture_names` for all images of the
    data set. The mask and the label map themselves are beside them: see
    :mod:`segkd_mm.visualize.label_maps`.

    Args:
        folder: Output folder; it is created if it does not exist.
        count: Number of images, evenly spaced over the data set; None for all.
    """

    def __init__(self, folder: str, count: int | None = None) -> None:
        self.folder, self.count = Path(folder), count

    def before_test(self, runner: Runner) -> None:
        from segkd_mm.visualize.label_maps import LabelMapIndex
        from segkd_mm.visualize.overlays import picture_names  # imports matplotlib

        dataset = runner.test_loop.dataloader.dataset
        images = [dataset.get_data_info(number)['img_path'] for number in range(len(dataset))]
        named = list(zip(images, picture_names(images), strict=True))
        chosen = evenly_spaced(len(named), self.count or len(named))
        self.names = dict(named[index] for index in chosen)
        if is_main_process():
            files = {name: os.path.abspath(image) for image, name in self.names.items()}
            meta = dataset.metainfo
            LabelMapIndex(meta['classes'], meta['palette'], files).write(self.folder)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[SegDataSample] = (),
    ) -> None:
        from segkd_mm.visualize.band_pictures import read_picture
        from segkd_mm.visualize.label_maps import KINDS, label_map_file, write_label_map
        from segkd_mm.visualize.overlays import image_grid

        meta = runner.test_loop.dataloader.dataset.metainfo
        for sample in (one for one in outputs if one.img_path in self.names):
            both = sample.gt_sem_seg.data, sample.pred_sem_seg.data
            # [1, H, W] of whole numbers; mmseg's SegTTAModel gives [H, W], one logit float32.
            masks = [ids.reshape(ids.shape[-2:]).long().cpu().numpy() for ids in both]
            name = self.names[sample.img_path]
            for kind, mask in zip(KINDS, masks, strict=True):
                write_label_map(label_map_file(self.folder, kind, name), mask, meta['palette'])
            image_grid(
                self.folder / f'{name}.png',
                columns=['image', 'truth', 'prediction'],
                rows=[[read_picture(sample.img_path), *masks]],
                classes=meta['classes'],
                palette=meta['palette'],
            )
