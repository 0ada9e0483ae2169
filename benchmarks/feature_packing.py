"""What storing a teacher's maps costs in accuracy: float16, int8, or principal components.

Example:
  python benchmarks/feature_packing.py configs/few_labels/mnv3l_kl_feature_voc7_1_8.py \
      --out results/benchmark/feature_packing.json

For each tap of a config with a CachedTeacher: bytes of a cell, mean relative error of a cell (the
length of the difference by that of the vector), and mean of 1 - cosine. Errors are those of images
that the principal components were not fitted on; these are kept in float32, so that their error is
that of the components alone. No cache is written.
"""

import argparse
from collections.abc import Iterator

import torch
from torch import Tensor

from segkd_mm.config import load_config
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.whole_image import TeacherCacheBuilder
from segkd_mm.whole_image.packing import EIGHT_BITS, FLOAT16, pack, unpack

SHARES = 2, 4, 8  # of the channels, one in so many is kept as a component


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='with a CachedTeacher')
    parser.add_argument('--images', type=int, default=64, help='the last third is measured on')
    parser.add_argument('--out', required=True, metavar='JSON', help='the result file')
    return parser.parse_args()


def components(maps: list[Tensor], count: int) -> tuple[Tensor, Tensor]:
    """The mean [C, 1] and the first principal components [C, count] of the cells of maps."""
    cells = torch.cat([x.flatten(1) for x in maps], 1).double()
    mean = cells.mean(1, keepdim=True)
    vectors = torch.linalg.eigh((cells - mean) @ (cells - mean).T).eigenvectors
    return mean, vectors.flip(1)[:, :count]


def stored(fit: list[Tensor], maps: list[Tensor]) -> Iterator[tuple[str, float, list[Tensor]]]:
    """The name of each way, its bytes a cell, and the maps [C, cells] that it gives back."""
    channels = len(maps[0])
    for packing, size in ((FLOAT16, 2), (EIGHT_BITS, 1)):
        yield packing, size * channels, [unpack(pack(x, packing), channels) for x in maps]
    for share in SHARES:
        count = channels // share
        mean, basis = components(fit, count)
        back = [mean + basis @ (basis.T @ (x.flatten(1) - mean)) for x in maps]
        yield f'{count} components, int8', count, back


def row(tap: str, way: str, size: float, maps: list[Tensor], back: list[Tensor]) -> dict:
    """A row of the table."""
    x = torch.cat([one.flatten(1) for one in maps], 1).double()
    y = torch.cat([one.flatten(1) for one in back], 1).double()
    error = (x - y).norm(dim=0) / x.norm(dim=0).clamp(min=1e-12)
    cosine = torch.cosine_similarity(x, y, dim=0)
    return {
        'tap': tap, 'channels': len(x), 'stored': way, 'bytes a cell': size,
        'relative error, %': 100 * error.mean().item(),
        '1 - cosine, %': 100 * (1 - cosine.mean().item()),
    }  # fmt: skip


@torch.no_grad()
def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    builder = TeacherCacheBuilder(load_config(args.config))
    numbers = range(0, len(builder.images), max(len(builder.images) // args.images, 1))
    made = [builder.maps(builder.images[n]) for n in numbers[: args.images]]
    rows = []
    for tap in builder.taps:
        maps = [one[tap][0].double() for one in made]
        fit, measured = maps[: -len(maps) // 3], maps[-len(maps) // 3 :]
        rows += [row(tap, way, size, measured, back) for way, size, back in stored(fit, measured)]
    write_result(args.out, {'config': args.config, 'images': len(made), 'table': rows})
    wide_console().print(console_table(rows, title=f'{len(made)} images'))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
