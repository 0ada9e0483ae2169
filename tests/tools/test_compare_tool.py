"""tools/compare.py, run as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
STUDENT = f'{REPO}/configs/student/mnv3s_slim_shapes.py'


def run(*words: object, cwd: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, REPO / 'tools' / 'compare.py', '--results', 'results/shapes', *words]
    return subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)


def write_config(path: Path, more: str = '') -> None:
    loaders = 'train', 'val', 'test'
    few = 'num_workers=0, persistent_workers=False, dataset=dict(num_train=16, num_val=4)'
    path.write_text(
        f"_base_ = '{STUDENT}'\n"
        + ''.join(f'{loader}_dataloader = dict({few})\n' for loader in loaders)
        + 'train_cfg = dict(max_epochs=1, val_interval=1)\n'
        'default_hooks = dict(logger=dict(interval=1))\n' + more
    )


@pytest.mark.slow
def test_one_method_comes_to_a_result_and_one_fails(shapes, tmp_path):
    write_config(tmp_path / 'plain.py')
    write_config(tmp_path / 'broken.py', "optim_wrapper = dict(optimizer=dict(type='Adamm'))\n")
    words = ['broken.py', 'plain.py', '--seeds', 5, '--cfg-options', f'data_root={shapes}']
    done = run(*words, '--jobs', 2, '--name', 'both', cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert '0 of 2 results are there.' in done.stdout
    log = 'work_dirs/compare/shapes/broken/5/compare.log'
    assert f'broken/5 failed: ChildFailed: exit code 1; the end of {log}:' in done.stdout
    assert 'None is not a callable object' in done.stdout.split(log)[1]
    result = json.loads((tmp_path / 'results/shapes/plain/5.json').read_text())
    assert result['checkpoint'].endswith('plain/5/epoch_1.pth')
    assert result['training']['seed'] == result['seed'] == 5
    assert result['val_mIoU']['last'] == pytest.approx(result['metrics']['mIoU'], abs=0.006)
    assert result['iterations'] == 2
    assert result['teacher'] is None
    (row,) = json.loads((tmp_path / 'results/shapes/both.json').read_text())['table']
    assert (row['method'], row['seeds']) == ('plain', '1 seed')
    assert row['mIoU'] == result['metrics']['mIoU']
    assert (tmp_path / 'results/shapes/both.png').stat().st_size > 5000


def test_what_is_to_be_run_is_said_without_running_it(tmp_path):
    done = run(STUDENT, 'kd/response_kd_shapes.py', '--check', '--seeds', 0, 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    to_run = [line for line in done.stdout.splitlines() if line.startswith('To run')]
    assert to_run == [
        f'To run: {name}/{seed}'
        for seed in (0, 3)
        for name in ('mnv3s_slim_shapes', 'response_kd_shapes')
    ]
    assert list(tmp_path.iterdir()) == []
