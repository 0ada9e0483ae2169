"""Test mIoU over the number of labelled images, for methods that were tuned each for itself.

Example:
  python benchmarks/label_curve.py --out results/voc7_label_curve.json --picture docs/images/x.png \
      --run plain 162 results/a/plain/*.json --run KL 162 results/b/kl/*.json

`tools/compare.py` compares methods that share all settings but their own. Here the results of a
method may come from other settings, such as the learning rate that suits it. The first method is
the baseline: gains are over it at the same number of labels, seed by seed. With one number of
labels the picture is a dot for each seed in place of a curve.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from segkd_mm.results.files import read_results, write_result
from segkd_mm.results.statistics import Row, leaderboard_rows
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.visualize.leaderboard import draw_leaderboard
from segkd_mm.visualize.style import chart

WIDTH, HEIGHT = 8.0, 4.5  # inches


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--run', nargs='+', action='append', required=True, metavar='METHOD LABELS FILE',
        help='result files, one a seed, of a method with so many labelled images',
    )  # fmt: skip
    parser.add_argument('--out', type=Path, required=True, help='the result file')
    parser.add_argument('--picture', type=Path, required=True, help='the PNG file')
    return parser.parse_args()


def rows_of(runs: Sequence[Sequence[str]]) -> Iterator[tuple[int, Row]]:
    """Number of labels and row of each method, the fewest labels first."""
    baseline = runs[0][0]
    for labels in sorted({int(run[1]) for run in runs}):
        methods = {
            method: {result['training']['seed']: result for result in read_results(files)}
            for method, count, *files in runs
            if int(count) == labels
        }
        for row in leaderboard_rows(methods, baseline):
            yield labels, row


def table_row(labels: int, row: Row) -> dict:
    """A row of the table."""
    gain = row.gain
    return {
        'labels': labels,
        'method': row.method,
        'mIoU': row.mean,
        '±': row.std,
        'seeds': len(row.scores),
        'gain': gain and gain.mean,
        'p': gain and gain.p,
        '% of the gap': gain and gain.of_gap,
        'teacher': row.teacher,
    }


def draw_curve(path: Path, rows: Sequence[Mapping]) -> None:
    """Write a PNG of the mIoU of each method over the labels; bars are standard deviations."""
    with chart(path, WIDTH, HEIGHT) as figure:
        axes = figure.subplots()
        for method in dict.fromkeys(row['method'] for row in rows):
            of_method = [row for row in rows if row['method'] == method]
            labels, scores = ([row[key] for row in of_method] for key in ('labels', 'mIoU'))
            deviations = [row['±'] or 0 for row in of_method]
            axes.errorbar(labels, scores, deviations, fmt='o-', capsize=4, label=method)
        axes.set_xscale('log')
        ticks = sorted({row['labels'] for row in rows})
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set(xlabel='labelled images', ylabel='test mIoU (%)')
        axes.legend()


def main() -> None:
    """Run the command line."""
    args = parse_args()
    counts, methods = zip(*rows_of(args.run), strict=True)
    rows = [table_row(labels, row) for labels, row in zip(counts, methods, strict=True)]
    if len(set(counts)) > 1:
        draw_curve(args.picture, rows)
    else:
        draw_leaderboard(args.picture, methods, f'{counts[0]} labelled images')
    write_result(args.out, {'files': [run[2:] for run in args.run], 'table': rows})
    wide_console().print(console_table(rows, title='Test mIoU over the number of labels'))
    print(f'Result: {args.out}\nPicture: {args.picture}')


if __name__ == '__main__':
    main()
