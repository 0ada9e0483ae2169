"""A teacher that sees the whole photos in training."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import torch
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList
from torch import Tensor, nn

from segkd_mm.distill.cut import cut_to
from segkd_mm.distill.inert import Inert
from segkd_mm.distill.teacher import Teacher
from segkd_mm.distill.view import View

Photo = tuple[Tensor, np.ndarray]  # [3, H, W], and the map of the crop's pixels to its own


@MODELS.register_module()
class WholePhotoTeacher(Inert):
    """A teacher that is shown whole photos, and whose maps are cut to the student's crops.

    What a :class:`segkd_mm.distill.cached_teacher.CachedTeacher` has from a cache, this one works
    out in each step, and so for features, too. Samples come from a
    :class:`segkd_mm.datasets.WithWholePhoto`.

    Args:
        view: Arguments of :class:`segkd_mm.distill.view.View`: what it is shown.
        stride: Finer maps are averaged down to this stride of the photo; all are cut at this stride
            of the crop.
        **teacher: As of :class:`segkd_mm.distill.teacher.Teacher`.

    Raises:
        WeightsError: The weights cannot be had or do not fit.
    """

    needs = 'whole_photo'

    def __init__(self, view: dict | None = None, stride: int = 8, **teacher) -> None:
        super().__init__()
        self.teacher = Teacher(**teacher)
        self.view, self.stride = View(**view or {}), stride
        self.eval()

    def watch(self, taps: Iterable[str], inputs_from: nn.Module) -> None:
        """Say which taps to give out; photos come as they were loaded, whatever the student's.

        Raises:
            TapError: A tap does not exist.
            ValueError: Several taps of several images: probabilities alone can be averaged.
        """
        taps = set(taps)
        if len(taps) > 1 and (self.view.flip or len(self.view.scales) > 1):
            raise ValueError(
                f'{self.view} shows a photo several times and averages the probabilities, but '
                f'features are wanted, too: taps {sorted(taps)}. Show it once.'
            )
        # A module without a normalisation stands for pixels as they are loaded.
        self.teacher.watch(taps, inputs_from=nn.Identity())

    @torch.no_grad()
    def forward(
        self,
        inputs: Tensor,
        taps: Collection[str] | None = None,
        data_samples: OptSampleList = None,
    ) -> dict[str, Tensor]:
        """The tapped maps at the student's images [N, 3, H, W], float32, by tap name.

        Args:
            inputs: Of which the size alone counts.
            taps: What is wanted now; one model gives out all that it watches.
            data_samples: With what ``WithWholePhoto`` gave them; None for a trial, whose images
                stand for photos.

        Raises:
            ValueError: The samples come from another data set.
        """
        image = tuple(inputs.shape[2:])
        size = tuple(-(-side // self.stride) for side in image)
        photos = self._photos(inputs, data_samples)
        cut = [
            {tap: cut_to(image, size, x, photo.shape[1:], place) for tap, x in said.items()}
            for (photo, place), said in zip(photos, self._say([p for p, _ in photos]), strict=True)
        ]
        return {tap: torch.stack([one[tap] for one in cut]) for tap in cut[0]}

    def _photos(self, inputs: Tensor, data_samples: OptSampleList) -> list[Photo]:
        if data_samples is None:
            return [(image, np.eye(2, 3)) for image in inputs]
        if any(self.needs not in sample for sample in data_samples):
            raise ValueError(
                'The samples bring no whole photos for the teacher: wrap the training data in '
                "dict(type='WithWholePhoto', dataset=...)."
            )
        return [(sample.whole_photo, sample.to_photo) for sample in data_samples]

    def _say(self, photos: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        """By photo, what the teacher says to the whole of it: [C, h, w] by tap."""
        said = {}
        for numbers in _alike(photos):
            maps = self._look(torch.stack([photos[number] for number in numbers]).float())
            for place, number in enumerate(numbers):
                said[number] = {tap: x[place] for tap, x in maps.items()}
        return [said[number] for number in range(len(photos))]

    def _look(self, photos: Tensor) -> dict[str, Tensor]:
        said = [self.teacher(image) for image in self.view.images(photos)]
        return {
            tap: self.view.join([one[tap] for one in said], photos.shape[2:], self.stride)
            for tap in said[0]
        }


def _alike(photos: Sequence[Tensor]) -> Iterator[list[int]]:
    """The numbers of photos of one size, which go through the teacher together."""
    numbers = defaultdict(list)
    for number, photo in enumerate(photos):
        numbers[photo.shape].append(number)
    yield from numbers.values()
