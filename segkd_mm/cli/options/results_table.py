"""Write the tables of results in README.md and docs/, and configs/metafile.yml, from results/.

Run it from the top of a checkout after adding a result, which is a file
results/DATASET/CONFIG/SEED.json as `segkd test --out` writes it. A table goes between the lines
`<!-- table: PATTERNS -->` and `<!-- /table -->`; PATTERNS name folders below results/, such as
`camvid/*_kd_camvid camvid/mnv3s_slim_camvid`, or one file of `segkd benchmark --out` or of a
script in benchmarks/.
"""

from argparse import ArgumentParser
from pathlib import Path


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        'files',
        nargs='*',
        default=['README.md', *map(str, sorted(Path('docs').glob('*.md')))],
        help='the files to write (default: README.md docs/*.md)',
    )
