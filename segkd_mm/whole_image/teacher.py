"""Base of live and cached teachers: crops their whole-image maps to the student's crops."""

from collections.abc import Mapping, Sequence
from math import ceil

import torch
from mmseg.utils import SampleList
from torch import Tensor

from segkd_mm.distill.frozen import FrozenModule
from segkd_mm.whole_image.crop import crop_map
from segkd_mm.whole_image.samples import WholeImage, whole_image_of


class CroppingTeacher(FrozenModule):
    """Base of teachers whose maps cover the whole image of each training crop.

    Attributes:
        needs: Field of :class:`segkd_mm.whole_image.samples.WholeImage` that it reads.
        wrapper: Config of the data set wrapper that fills the field, for messages.
    """

    needs: str
    wrapper: str

    def whole_images(self, samples: SampleList) -> list[WholeImage]:
        """The records of the samples.

        Raises:
            ValueError: The samples come from a data set without the wrapper.
        """
        records = [whole_image_of(sample, self.needs) for sample in samples]
        if None in records:
            raise ValueError(
                f'{type(self).__name__} needs the {self.needs} of whole images, which the samples '
                f'do not have: wrap the training data in {self.wrapper}.'
            )
        return records

    def crop(
        self,
        maps: Sequence[Mapping[str, Tensor]],
        records: Sequence[WholeImage],
        crop_size: tuple[int, int],
        strides: Mapping[str, int],
    ) -> dict[str, Tensor]:
        """Maps of whole images, cropped and stacked: by tap, float32 [N, C, h, w].

        Args:
            maps: By tap the map of each image, [C, H, W].
            records: Where the crops lie.
            crop_size: Height and width of the crops.
            strides: By tap that of the result, in pixels of the crop.
        """
        return {
            tap: torch.stack([
                crop_map(
                    by_tap[tap], record.size, record.affine, crop_size, cells(crop_size, stride)
                )
                for by_tap, record in zip(maps, records, strict=True)
            ])
            for tap, stride in strides.items()
        }  # fmt: skip


def cells(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Rows and columns of the map that covers an image of a size at a stride."""
    height, width = (ceil(side / stride) for side in size)
    return height, width
