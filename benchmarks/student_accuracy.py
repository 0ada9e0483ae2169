"""Test mIoU of each student that a new experiment can take, from the published result files.

Example:
  python benchmarks/student_accuracy.py

Writes segkd_mm/scaffold/student_accuracy.json, which travels in the wheel, as results/ does not.
Trainings without a teacher count, and of those in one folder of results the best.
"""

import json
from pathlib import Path

from mmengine.config import Config

from segkd_mm.config import config_dir, list_configs
from segkd_mm.files import written_aside
from segkd_mm.results.files import read_results
from segkd_mm.results.speed_accuracy import Score
from segkd_mm.scaffold.accuracy import FILE
from segkd_mm.scaffold.students import list_students

RESULTS = Path(__file__).parents[1] / 'results'


def plain_trainings() -> dict[str, list[str]]:
    """For each student the names of the configs that train it without a teacher."""
    found: dict[str, list[str]] = {name: [] for name in list_students()}
    for config in list_configs():
        bases = Config._get_base_files(str(config_dir() / config))
        students = [Path(base).stem for base in bases if '/students/' in base]
        # An experiment inherits from none, so that its file names its model.
        is_plain = 'SegDistiller' not in (config_dir() / config).read_text(encoding='utf-8')
        if is_plain and len(students) == 1 and students[0] in found:
            found[students[0]].append(Path(config).stem)
    return found


def best_results(configs: list[str]) -> list[dict]:
    """The best of the configs in each folder of results, by its mean test mIoU."""
    found: dict[str, list[dict]] = {}
    for config in configs:
        for folder in sorted(RESULTS.glob(f'*/{config}')):
            files = sorted(folder.glob('*.json'))
            results = dict(zip(files, read_results(files), strict=True))
            tested = {path: one for path, one in results.items() if is_test(one)}
            if tested:
                score = Score.from_results(tested)
                name = folder.relative_to(RESULTS).as_posix()
                entry = {'result': name, 'mIoU': round(score.mean, 2), 'seeds': len(score.seeds)}
                found.setdefault(folder.parent.name, []).append(entry)
    return [max(entries, key=lambda entry: entry['mIoU']) for _, entries in sorted(found.items())]


def is_test(result: dict) -> bool:
    """Whether a result is an mIoU of test images."""
    return result.get('split') == 'test' and result['metrics'].get('mIoU') is not None


def accuracies() -> dict[str, list[dict]]:
    """The content of the file."""
    return {name: best_results(configs) for name, configs in plain_trainings().items()}


def main() -> None:
    """Write the file."""
    with written_aside(FILE) as aside:
        aside.write_text(json.dumps(accuracies(), indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
