"""Write the tables of results in README.md and docs/, and configs/metafile.yml, from results/."""

from argparse import Namespace
from pathlib import Path

from segkd_mm.commands import command
from segkd_mm.json_files import JsonFileError, JsonObject
from segkd_mm.results.files import read_results
from segkd_mm.results.metafile import METAFILE, write_metafile
from segkd_mm.results.speed_accuracy import table_rows
from segkd_mm.results.tables import markdown_table, replace_table, table_names

RESULTS = Path('results')
COMMON = 1.0  # percent of the pixels


def rows(name: str) -> list[dict]:
    """The rows of the table of that name."""
    if name.endswith('.json'):
        (benchmark,) = read_results([RESULTS / name])
        return checked_rows(benchmark) if 'table' in benchmark else table_rows(benchmark['models'])
    return [row(*found) for found in find(name)]


def checked_rows(result: JsonObject) -> list[dict]:
    """The table of a result.

    Raises:
        JsonFileError: It is no list of rows.
    """
    result.check({'table': list})
    if odd := [row for row in result['table'] if not isinstance(row, dict)]:
        raise JsonFileError(
            f'{result.file}: found the row {odd[0]!r:.80} of its table, expected an object with a '
            f'value for each column. {result.advice}'
        )
    return result['table']


def find(patterns: str) -> list[tuple[str, dict]]:
    """Names and results of folders that fit one of the patterns, in the order of their mIoU.

    Raises:
        ValueError: A pattern fits nothing, or what is no test result of a config.
    """
    files = {p: sorted(RESULTS.glob(f'{p}/*.json')) for p in patterns.split()}
    if empty := [pattern for pattern, found in files.items() if not found]:
        raise ValueError(f'No result in {RESULTS} fits {", ".join(empty)}.')
    distinct = sorted({file for found in files.values() for file in found})
    results = read_results(distinct)
    if odd := [str(f) for f, r in zip(distinct, results, strict=True) if 'parameters' not in r]:
        raise ValueError(
            f'{", ".join(odd)}: no result of `{command("test")}`, but {patterns!r} fits. '
            "Name the configs' folders in the pattern."
        )
    named = zip([file.parent.name for file in distinct], results, strict=True)
    return sorted(named, key=lambda result: result[1]['metrics']['mIoU'])


def row(name: str, result: dict) -> dict:
    """A row of the table: what was trained and what it reached."""
    return {
        'config': name,
        'seed': (result['training'] or {}).get('seed'),
        'mIoU': result['metrics']['mIoU'],
        'mIoU, common classes': common_miou(result),
        'pixel accuracy': result['metrics']['aAcc'],
        'parameters': result['parameters'],
    }


def common_miou(result: dict) -> float | None:
    """The mean IoU over the classes with 1 % of the pixels or more; rarer ones are mostly noise."""
    shares = result.get('per_class_share', {})
    common = [iou for name, iou in result['per_class'].items() if shares.get(name, 0) >= COMMON]
    return sum(common) / len(common) if common else None


def run(args: Namespace) -> None:
    """Run the command."""
    for file in args.files:
        for name in table_names(file):
            table = rows(name)
            replace_table(file, name, markdown_table(table))
            print(f'{file}: table {name} of {len(table)} rows')
    print(f'{METAFILE}: {write_metafile(RESULTS)} models')
