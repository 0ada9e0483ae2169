"""Check that the mean and std of a preprocessor are those of the images."""

from collections.abc import Iterator

from torch import nn
from torch.utils.data import Dataset

from segkd_mm.commands import command
from segkd_mm.datasets import SampleError
from segkd_mm.datasets.band_statistics import band_statistics
from segkd_mm.doctor.finding import Finding
from segkd_mm.evenly_spaced import evenly_spaced
from segkd_mm.segmentors import BandPreProcessor

IMAGES = 20
SHIFT = 2  # standard deviations
SPREAD = 1 / 4, 4


def normalisation_findings(preprocessor: nn.Module, dataset: Dataset) -> Iterator[Finding]:
    """A warning where the images of a ``BandPreProcessor`` are far from its mean and std."""
    if not isinstance(preprocessor, BandPreProcessor):
        return
    chosen = evenly_spaced(len(dataset), IMAGES)
    try:
        found = band_statistics(dataset.get_data_info(index)['img_path'] for index in chosen)
    except SampleError:  # a finding of its own
        return
    own = preprocessor.mean.flatten().tolist(), preprocessor.std.flatten().tolist()
    if len(found.mean) != len(own[0]):
        return  # likewise
    for band, (mean, std, own_mean, own_std) in enumerate(zip(*found, *own, strict=True)):
        if abs(mean - own_mean) > SHIFT * own_std or not SPREAD[0] < std / own_std < SPREAD[1]:
            yield Finding(
                'warning',
                f'Band {band}: {len(chosen)} images have a mean of {mean:.5g} and a std of '
                f'{std:.5g}, the preprocessor has {own_mean:.5g} and {own_std:.5g}.',
                f'`{command("band-statistics")} FOLDER` counts them.',
            )
