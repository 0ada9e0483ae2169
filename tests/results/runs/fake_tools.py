"""Made-up tools: they write what real ones would, in no time."""

import json
from pathlib import Path

from segkd_mm.results.runs.processes import ProcessFailed

LINES = [
    {'iter': 20, 'step': 20, 'time': 0.5, 'data_time': 0.1, 'loss': 2.0},
    {'iter': 40, 'step': 40, 'time': 0.2, 'data_time': 0.0, 'loss': 1.0},
    {'mIoU': 41.0, 'step': 1},
    {'iter': 50, 'step': 50, 'time': 0.3, 'data_time': 0.2, 'loss': 1.0},
    {'mIoU': 40.0, 'step': 2},
]


class FakeTools:
    """Stands in for tools/train.py and test.py: writes what they would, and keeps the commands."""

    def __init__(self, failing: tuple[str, ...] = ()) -> None:
        self.commands: list[list[str]] = []
        self.failing = failing

    def __call__(self, command, log, variables=None) -> None:
        self.commands.append(list(command))
        tool = Path(command[1]).stem
        if tool in self.failing:
            raise ProcessFailed(f'{tool} fell over')
        getattr(self, tool)(command)

    @property
    def tools(self) -> list[str]:
        return [Path(command[1]).stem for command in self.commands]

    def train(self, command) -> None:
        work_dir = Path(command[command.index('--work-dir') + 1])
        (work_dir / 'last_checkpoint').write_text(f'/elsewhere/{work_dir.name}/epoch_2.pth')
        (work_dir / 'train.json').write_text('{}')
        log = work_dir / '20261120_200000' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        log.write_text(''.join(json.dumps(line) + '\n' for line in LINES))

    def test(self, command) -> None:
        result = {'metrics': {'mIoU': 39.5}, 'per_class': {'sky': 39.5}, 'command': 'python test'}
        Path(command[command.index('--out') + 1]).write_text(json.dumps(result))

    def cache_teacher(self, command) -> None:
        index = Path('cache/index.json')
        index.parent.mkdir()
        index.write_text('{}')
