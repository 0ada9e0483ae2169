"""Make the README's tables of measured results from the files in results/.

Run it from the top of a checkout after adding a result, which is a file
results/DATASET/CONFIG/SEED.json as `tools/test.py --out` writes it. The table of each data set goes
between the lines `<!-- table: DATASET -->` and `<!-- /table -->`.
"""

import argparse
from pathlib import Path

from segkd_mm.report.results import read_results
from segkd_mm.report.tables import markdown_table, replace_table


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--file', default='README.md', help='the file to write (%(default)s)')
    return parser.parse_args()


def row(result: dict) -> dict:
    """A row of the table: what was trained and what it reached."""
    return {
        'config': Path(result['config']).stem,
        'seed': result['training']['seed'],
        'mIoU': result['metrics']['mIoU'],
        'pixel accuracy': result['metrics']['aAcc'],
        'parameters': result['parameters'],
    }


def main() -> None:
    """Run the command line."""
    args = parse_args()
    for folder in sorted(Path('results').iterdir()):
        results = read_results(sorted(folder.glob('*/*.json')))
        # The teacher, with the most parameters, first; then by what they reach.
        results.sort(key=lambda r: (-r['parameters'], r['metrics']['mIoU']))
        replace_table(args.file, folder.name, markdown_table([row(r) for r in results]))
        print(f'{args.file}: table {folder.name} from {len(results)} results')


if __name__ == '__main__':
    main()
