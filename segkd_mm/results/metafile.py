"""The index of models that OpenMMLab's tools read: configs with the scores that they reached."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

import yaml

from segkd_mm.files import written_aside
from segkd_mm.results.files import read_results

METAFILE = Path('configs', 'metafile.yml')
HEAD = '# Written by tools/results_table.py from the files in results/. No weights are published.\n'
# Options that leave the training as its config says: where files are, and how they are read.
NEUTRAL = 'data_root', 'num_workers', 'checkpoint', 'persistent_workers'


def write_metafile(results: Path) -> int:
    """Write ``configs/metafile.yml`` of a checkout; gives the number of models.

    A model is a config with test results of its own training, as it is, by seeds.

    Args:
        results: The folder of result files.
    """
    runs: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for result in read_results(sorted(results.glob('*/*/[0-9]*.json'))):
        if _is_as_configured(result):
            runs[result['config'].removeprefix('configs/'), result['dataset']].append(result)
    models = [_model(*key, found) for key, found in sorted(runs.items())]
    text = HEAD + yaml.safe_dump({'Models': models}, sort_keys=False, width=100)
    with written_aside(METAFILE) as aside:
        aside.write_text(text, encoding='utf-8')
    return len(models)


def _is_as_configured(result: Mapping) -> bool:
    """Whether a file is the plain test of a training whose config is in this package."""
    training = result.get('training') or {}
    config = str(training.get('config', '')).removeprefix('configs/')
    is_tested = result.get('split') == 'test' and 'tta' not in result and 'window' not in result
    is_own = config == str(result.get('config')).removeprefix('configs/')
    is_here = Path('configs', config).is_file()
    return bool(is_tested and is_own and is_here) and not [*_changes(training['command'])]


def _changes(command: str) -> Iterator[str]:
    """What a command line changes in the training of its config."""
    for word in shlex.split(command):
        key, sign, _ = word.partition('=')
        if word in ('--epochs', '--amp') or (sign and not key.endswith(NEUTRAL)):
            yield word


def _model(config: str, dataset: str, results: Sequence[Mapping]) -> dict:
    scores = [result['metrics']['mIoU'] for result in results]
    metrics = {'mIoU': round(mean(scores), 2), 'Seeds': len(scores)}
    if scores[1:]:
        metrics['mIoU standard deviation'] = round(stdev(scores), 2)
    data = dataset.removesuffix('Dataset')
    return {
        'Name': Path(config).stem,
        'Config': f'configs/{config}',
        'Metadata': {
            'Training Data': data,
            'Classes': len(results[0]['per_class']),
            'Parameters': results[0]['parameters'],
        },
        'Results': [{'Task': 'Semantic Segmentation', 'Dataset': data, 'Metrics': metrics}],
    }
