"""Count the mean and the standard deviation of each band of images."""

from argparse import Namespace

from rich.progress import track

from segkd_mm.datasets.band_statistics import band_statistics
from segkd_mm.datasets.folder_pairs import files_by_stem


def run(args: Namespace) -> None:
    """Run the command."""
    files = [file for folder in args.folders for file in files_by_stem(folder).values()]
    mean, std = band_statistics(track(files, 'reading the images', transient=True))
    print(f'# Of {len(files)} images.')
    print(f'channels = {len(mean)}')
    for name, values in (('mean', mean), ('std', std)):
        print(f'{name} = [{", ".join(f"{value:.5g}" for value in values)}]')
