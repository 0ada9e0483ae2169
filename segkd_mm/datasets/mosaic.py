"""mmseg's mosaic of four images, which may also draw the last one plus one: an IndexError."""

import random
from collections.abc import Sequence

from mmseg.datasets.transforms import RandomMosaic
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module(name='RandomMosaic', force=True)
class MosaicInRange(RandomMosaic):
    """mmseg's ``RandomMosaic``, in its place; it draws only samples that there are.

    It needs ``SeedAugmentation`` in the pipeline of the data set inside ``MultiImageMixDataset``,
    as the first transform, for a resumed training to draw the same.
    """

    def get_indices(self, dataset: Sequence) -> list[int]:
        """Three indices of other samples."""
        return [random.randrange(len(dataset)) for _ in range(3)]
