"""A teacher that is run on whole images in each training step."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import torch
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList
from torch import Tensor, nn

from segkd_mm.distill.ensemble import members_of
from segkd_mm.whole_image.samples import WholeImage
from segkd_mm.whole_image.teacher import CroppingTeacher
from segkd_mm.whole_image.view import View


@MODELS.register_module()
class WholeImageTeacher(CroppingTeacher):
    """A teacher that is run on whole images, and whose maps are cropped like the student's images.

    A :class:`segkd_mm.whole_image.CachedTeacher` reads its maps from a cache; this one computes
    them in each step. Samples come from a :class:`segkd_mm.whole_image.WithWholeImage`.

    Args:
        teacher: Config of the :class:`segkd_mm.distill.teacher.Teacher`, or of a
            :class:`segkd_mm.distill.ensemble.TeacherEnsemble` of them.
        view: Arguments of :class:`segkd_mm.whole_image.View`: how it sees an image.
        stride: Finer maps are resized down to this stride of the image; all are cropped at this
            stride of the crop.

    Raises:
        ValueError: An ensemble drops its members.
        WeightsError: The weights cannot be had or do not fit.
    """

    needs = 'image'
    wrapper = "dict(type='WithWholeImage', dataset=...)"

    def __init__(self, teacher: dict, view: dict | None = None, stride: int = 8) -> None:
        super().__init__()
        members_of(teacher)  # refuses an ensemble that drops members
        self.teacher = MODELS.build(teacher)
        self.view, self.stride = View(**view or {}), stride
        self.eval()

    def prepare(self, taps: Iterable[str], inputs_from: nn.Module) -> None:
        """Set which taps to give out; images come as they were loaded, whatever the student's.

        Raises:
            TapError: A tap does not exist.
            ValueError: Its bands do not fit the student's images.
        """
        self.teacher.check_bands(inputs_from)
        # A module without a normalisation stands for pixels as they are loaded.
        self.teacher.prepare(set(taps), inputs_from=nn.Identity())
        self._logit_taps = self.teacher.logit_taps()

    @torch.no_grad()
    def forward(
        self,
        inputs: Tensor,
        taps: Collection[str] | None = None,
        data_samples: OptSampleList = None,
    ) -> dict[str, Tensor]:
        """The tapped maps at the student's images [N, 3, H, W], float32, by tap name.

        Args:
            inputs: Only their size is used.
            taps: The taps of this step; one model gives out all of its taps.
            data_samples: With the records of ``WithWholeImage``; None for a trial, in which the
                inputs are the whole images.

        Raises:
            ValueError: The samples come from another data set.
        """
        crop_size = tuple(inputs.shape[2:])
        if data_samples is None:
            records = [WholeImage(crop_size, np.eye(2, 3), image=image) for image in inputs]
        else:
            records = self.whole_images(data_samples)
        maps = self._maps([record.image for record in records])
        return self.crop(maps, records, crop_size, dict.fromkeys(maps[0], self.stride))

    def _maps(self, images: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        """The maps of each image [3, H, W], by tap, [C, h, w]."""
        maps = {}
        for numbers in _same_size(images):
            batch = self._batch_maps(torch.stack([images[number] for number in numbers]).float())
            for place, number in enumerate(numbers):
                maps[number] = {tap: x[place] for tap, x in batch.items()}
        return [maps[number] for number in range(len(images))]

    def _batch_maps(self, images: Tensor) -> dict[str, Tensor]:
        """The maps of images [N, 3, H, W], merged over the view, by tap, [N, C, h, w]."""
        return self.view.maps(self.teacher, images, self.stride, self._logit_taps)


def _same_size(images: Sequence[Tensor]) -> Iterator[list[int]]:
    """The numbers of images of one size, which go through the teacher together."""
    numbers = defaultdict(list)
    for number, image in enumerate(images):
        numbers[image.shape].append(number)
    yield from numbers.values()
