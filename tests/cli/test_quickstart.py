"""tools/quickstart.py, the README's first command, on a few small images."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from ink import ink

from segkd_mm.cli import quickstart
from segkd_mm.config import load_config
from segkd_mm.results.runs.cells import Method

REPO = Path(__file__).parents[2]
DATA = {
    quickstart.TEACHER: ['train_dataloader.dataset'],
    quickstart.PLAIN: ['train_dataloader.dataset.dataset'],
    quickstart.DISTILLED: [
        'train_dataloader.dataset.dataset.datasets.0',
        'train_dataloader.dataset.dataset.datasets.1.dataset',
    ],
}
SMALL = [
    'train_dataloader.batch_size=4',
    *(f'{split}_dataloader.num_workers=0' for split in ('train', 'val', 'test')),
    *(f'{split}_dataloader.persistent_workers=False' for split in ('train', 'val', 'test')),
]


def small(path: str, options: list[str], epochs: int | None) -> Method:
    """The config on 8 training images, 2 of them labelled, and 5 test images."""
    data = [*DATA[path], 'val_dataloader.dataset', 'test_dataloader.dataset']
    more = [f'visualizer.name={uuid4().hex}']  # mmengine keeps it, with its folder, by this name
    more += [f'{key}.{size}' for key in data for size in ('num_train=8', 'num_val=5')]
    if path != quickstart.TEACHER:
        more.append(f'{data[0]}.indices=2')
    if path == quickstart.DISTILLED:
        sampler = 'train_dataloader.sampler'
        more += [
            f'{data[1]}.indices=-6',
            f'{sampler}.batch_size=4',
            f'{sampler}.labelled_per_batch=2',
        ]
    return Method.load(path, [*options, *SMALL, *more], epochs)


@pytest.mark.slow
def test_a_first_run_compares_both_students_and_is_not_repeated(
    script, in_process, tmp_path, monkeypatch
):
    monkeypatch.setattr(quickstart, 'Method', type('', (), {'load': staticmethod(small)}))
    words = ['--work-dir', tmp_path / 'quick', '--epochs', 1, '--seed', 3]
    done = script('tools/quickstart.py', *words)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    folder = tmp_path / 'quick/seed_3'
    result = json.loads((folder / 'quickstart.json').read_text())
    scores = {row['model']: row['test mIoU'] for row in result['rows']}
    assert list(scores) == ['teacher', 'plain', 'distilled']
    assert result['gain'] == scores['distilled'] - scores['plain']
    tested = json.loads((folder / 'results/mnv3s_plain_shapes_1_10/3.json').read_text())
    assert (tested['images'], tested['metrics']['mIoU']) == (5, scores['plain'])
    assert tested['training']['seed'] == 3
    assert f'{result["gain"]:+.1f} mIoU by distillation' in done.stdout
    assert 'tools/new_experiment.py --images' in done.stdout
    assert ink(folder / 'comparison.png') > 0.6  # filled with images

    trained = (folder / 'plain/last_checkpoint').stat().st_mtime_ns
    assert script('tools/quickstart.py', *words).returncode == 0
    assert (folder / 'plain/last_checkpoint').stat().st_mtime_ns == trained


def test_both_students_have_the_same_training_but_for_the_images():
    plain, distilled = map(load_config, (quickstart.PLAIN, quickstart.DISTILLED))
    assert plain.model == distilled.model.student
    for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'custom_hooks', 'test_dataloader'):
        assert plain[key] == distilled[key]
    repeated = plain.train_dataloader.dataset
    labelled, unlabelled = distilled.train_dataloader.dataset.dataset.datasets
    assert plain.train_dataloader.batch_size == distilled.train_dataloader.batch_size
    assert labelled == repeated.dataset
    num, few, rest = labelled.num_train, labelled.indices, -unlabelled.dataset.indices
    assert few + rest == num == repeated.times * few  # as many iterations in an epoch
    assert {
        'teacher': f'{num} with labels',
        'plain': f'{few} with labels',
        'distilled': f'{few} with labels, {rest} without',
    } == quickstart.SEES


def test_the_notebook_runs_what_the_readme_runs_and_shows_its_picture():
    notebook = json.loads((REPO / 'docs/first_run.ipynb').read_text())
    assert (notebook['nbformat'], notebook['metadata']['kernelspec']['language']) == (4, 'python')
    cells = [cell for cell in notebook['cells'] if cell['cell_type'] == 'code']
    assert [cell['outputs'] for cell in cells] == [[]] * len(cells)
    code = '\n'.join(''.join(cell['source']) for cell in cells)
    readme = (REPO / 'README.md').read_text()
    for command in ('pip install -q -e .', 'tools/quickstart.py'):
        assert command in code
        assert command.replace(' -q', '') in readme
    assert "Image('work_dirs/quickstart/seed_0/comparison.png')" in code
