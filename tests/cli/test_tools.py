"""The command-line tools, run as a user runs them."""

import json
import re
import subprocess
import sys
from importlib import import_module
from inspect import getsource
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch
from mmseg.apis import inference_model, init_model
from PIL import Image
from torchvision.models.segmentation import fcn_resnet50

from segkd_mm.commands import with_commands
from segkd_mm.config import list_configs
from segkd_mm.results.files import checkpoint_digest

REPO = Path(__file__).resolve().parents[2]
IN_PROCESS = [
    f'{split}_dataloader.{option}' for split in ('train', 'val', 'test')
    for option in ('num_workers=0', 'persistent_workers=False')
]  # fmt: skip
TINY = [
    'train_dataloader.dataset.num_train=16', 'train_dataloader.dataset.num_val=4',
    'val_dataloader.dataset.num_train=16', 'val_dataloader.dataset.num_val=4',
    'test_dataloader.dataset.num_train=16', 'test_dataloader.dataset.num_val=4',
    *IN_PROCESS,
    'train_dataloader.batch_size=4', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1',
]  # fmt: skip


@pytest.fixture
def run(script):
    """Run a tool in this process; give what it printed."""

    def call(path, *words, fails=False):
        done = script(path, *words)
        assert bool(done.returncode) == fails, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout + done.stderr

    return call


def process(*words: object, cwd: Path = REPO) -> str:
    """Run python in a process of its own; give what it printed."""
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize('tool', sorted(p.stem for p in (REPO / 'tools').glob('[a-z]*.py')))
def test_help_shows_what_the_tool_does_and_each_option(run, tool):
    text = ' '.join(run(f'tools/{tool}.py', '--help').split())
    module = import_module(f'segkd_mm.cli.options.{tool}')
    about = with_commands(module.__doc__.split('{')[0])  # before what is filled in
    assert ' '.join(about.split()) in text
    options = re.findall(r"'(--[a-z][a-z-]+)'", getsource(module))
    assert [option for option in options if option not in text] == []


@pytest.mark.slow
def test_a_student_is_trained_resumed_and_tested(run, shapes, tmp_path):
    config, work = 'configs/student/mnv3s_slim_shapes.py', tmp_path / 'work'
    options = ['--cfg-options', f'data_root={shapes}', *TINY]
    said = process('tools/train.py', config, '--work-dir', work, *options)
    assert f'tools/test.py {config} {work}/best.pth' in said
    lines = said.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith('epoch 1/1  iter 4/4  ETA 0'))
    assert first <= 12, said
    (log,) = work.glob('2*/2*.log')
    assert len(log.read_text().splitlines()) > 300
    assert 'UserWarning: The draw is False' in log.read_text()
    assert json.loads((work / 'train.json').read_text())['seed'] == 0

    options[options.index('train_cfg.max_epochs=1')] = 'train_cfg.max_epochs=2'
    resume = ['tools/train.py', config, '--work-dir', work, '--resume', '--amp']
    said = run(*resume, *options, fails=True)
    assert 'train_cfg.max_epochs: 1 there, 2 now' in said
    said = run(*resume, '--allow-changes', *options)
    assert '; going on after 4\n' in said
    assert 'earlier run' not in said
    assert (work / 'last_checkpoint').read_text().endswith('epoch_2.pth')

    out, pictures = tmp_path / 'result.json', tmp_path / 'pictures'
    words = [config, work / 'best.pth', '--out', out, '--pictures', pictures]
    said = run('tools/test.py', *words, *options)
    result = json.loads(out.read_text())
    assert result['metrics']['mIoU'] == pytest.approx(result['training']['best_mIoU'], abs=1e-3)
    assert result['checkpoint_sha256'] == checkpoint_digest(work / 'best.pth')
    assert len(result['per_class']) == 8
    assert said.count('crescent') == 1
    assert len(list(pictures.glob('val_*.png'))) == 4
    assert {p.name for p in (pictures / 'analysis').iterdir()} == {'classes.png', 'confusion.png'}
    assert (work / 'curves.png').is_file()


@pytest.mark.slow
def test_the_benchmark_prints_a_table_and_writes_it(run, tmp_path):
    out = tmp_path / 'benchmark.json'
    configs = ['configs/student/mnv3s_slim_voc.py', 'kd/feature_kd_voc.py']
    said = run('tools/benchmark.py', *configs, '--size', 64, 96, '--repeats', 10, '--out', out)
    plain, distilled = json.loads(out.read_text())['models']
    assert plain['parameters'] == distilled['parameters'] == 2516853
    assert plain['gmacs'] == distilled['gmacs']
    assert '2,516,853' in said


@pytest.mark.slow
def test_real_images_distilled_tested_and_used_in_another_project(run, real_data, tmp_path):
    torch.manual_seed(0)
    teacher = tmp_path / 'fcn_resnet50.pth'
    torch.save(fcn_resnet50(weights=None, weights_backbone=None, num_classes=21,
                            aux_loss=True).state_dict(), teacher)  # fmt: skip
    work, out = tmp_path / 'work', tmp_path / 'result.json'
    few = [
        f'data_root={real_data}/voc/VOC2012', 'train_dataloader.dataset.indices=2',
        'val_dataloader.dataset.indices=1', 'test_dataloader.dataset.indices=1', *IN_PROCESS,
    ]  # fmt: skip
    brief = ['train_dataloader.batch_size=2', 'train_cfg.max_epochs=1']
    run('tools/train.py', 'configs/kd/feature_kd_voc.py', '--work-dir', work, '--cfg-options',
        f'model.teacher.checkpoint={teacher}', 'model.student.backbone.weights=None', *few,
        *brief)  # fmt: skip

    plain = 'configs/student/mnv3s_slim_voc.py'
    run('tools/test.py', plain, work / 'best.pth', '--out', out, '--cfg-options', *few)
    result = json.loads(out.read_text())
    assert result['metrics']['mIoU'] == pytest.approx(result['training']['best_mIoU'], abs=1e-3)

    image = next((real_data / 'voc/VOC2012/JPEGImages').iterdir())
    (tmp_path / 'own.py').write_text(
        f"_base_ = '{REPO}/configs/_base_/students/mnv3s_slim.py'\n"
        "custom_imports = dict(imports=['segkd_mm'])\n"
        "model = dict(data_preprocessor=dict(type='SegDataPreProcessor'), **_base_.student)\n"
        "test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]\n"
    )
    model = init_model(str(tmp_path / 'own.py'), str(work / 'best.pth'), device='cpu')
    labels = inference_model(model, str(image)).pred_sem_seg.data
    assert labels.shape[1:] == Image.open(image).size[::-1]
    assert len(model.dataset_meta['classes']) == 21


def test_a_missing_config_or_data_folder_is_a_clear_error(run, tmp_path):
    assert "did you mean 'kd/feature_kd_voc.py'" in run(
        'tools/train.py', 'kd/feature_voc.py', fails=True
    )
    said = run('tools/train.py', 'configs/student/mnv3s_slim_voc.py', '--work-dir', tmp_path,
               '--cfg-options', 'data_root=/nowhere', fails=True)  # fmt: skip
    assert '/nowhere' in said
    assert 'JPEGImages' in said


@pytest.mark.slow
def test_the_wheel_has_the_configs_and_the_tools(tmp_path):
    process('-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation', '-w', tmp_path, REPO)
    (wheel,) = tmp_path.glob('*.whl')
    names = ZipFile(wheel).namelist()
    for config in list_configs():
        assert f'segkd_mm/.mim/configs/{config}' in names
    packaged = {'.mim/model-index.yml', '.mim/configs/_base_/runtime.py', 'tools/train.py'}
    packaged.add('cli/options/train.py')
    assert {f'segkd_mm/{name}' for name in packaged} <= set(names)
    assert 'segkd_mm/datasets/splits/msrc_v2/train.txt' in names
    (points,) = (name for name in names if name.endswith('entry_points.txt'))
    assert 'segkd = segkd_mm.cli.main:main' in ZipFile(wheel).read(points).decode()
