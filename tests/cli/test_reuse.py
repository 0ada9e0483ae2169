"""What tools/train.py leaves for others: mmseg's API, the benchmark, and a run after it."""

import json
from uuid import uuid4

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.apis import MMSegInferencer, inference_model, init_model
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import segkd_mm
from segkd_mm.config import load_config

KD = 'kd/response_kd_shapes.py'


@pytest.fixture
def train(script, shapes, teacher_file, tmp_path):
    """Train for an epoch of two batches in tmp_path/work; give what it printed."""

    def run(config, *words):
        few = [f'{split}_dataloader.{key}' for split in ('train', 'val', 'test') for key in (
            'dataset.num_train=16', 'dataset.num_val=4', 'num_workers=0', 'persistent_workers=False'
        )]  # fmt: skip
        teacher = [f'model.teacher.checkpoint={teacher_file}'] if 'kd' in config else []
        # mmengine keeps the visualizers of a process by their names, with their folders.
        done = script(
            'tools/train.py', config, '--work-dir', tmp_path / 'work', '--epochs', 1, *words,
            '--cfg-options', f'data_root={shapes}', f'visualizer.name={uuid4().hex}', *few,
            *teacher, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    return run


@pytest.mark.slow
def test_what_a_distillation_leaves_is_loaded_by_mmseg_as_it_is(train, shapes, tmp_path):
    # As another project names it, from a config of its own.
    (tmp_path / 'own_kd.py').write_text(f"_base_ = 'segkd_mm::{KD}'\n")
    assert 'earlier run' not in train('own_kd.py')
    config, best = str(tmp_path / 'work/model.py'), str(tmp_path / 'work/best.pth')
    image = str(sorted((shapes / 'JPEGImages').glob('val_*.jpg'))[0])
    wanted = segkd_mm.load(config, best).predict(image)
    assert 'teacher' not in Config.fromfile(config).model

    def labels(model):
        return inference_model(model, image).pred_sem_seg.data[0].numpy()

    student = init_model(config, best, device='cpu')
    assert np.array_equal(labels(student), wanted)
    assert student.dataset_meta['classes'][1] == 'disc'
    # The distillation's own config serves, too, where its teacher is at hand.
    distiller = init_model(str(tmp_path / 'work/own_kd.py'), best, device='cpu')
    assert np.array_equal(labels(distiller), wanted)
    inferencer = MMSegInferencer(config, best, device='cpu', show_progress=False)
    assert np.array_equal(inferencer(image)['predictions'], wanted)


@pytest.fixture
def launched(monkeypatch):
    """The variables that torchrun gives to the only process."""
    for name, value in (('RANK', 0), ('LOCAL_RANK', 0), ('WORLD_SIZE', 1), ('MASTER_PORT', 29517)):
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv('MASTER_ADDR', '127.0.0.1')
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason='with a GPU mmengine takes nccl')
def test_torchrun_starts_a_training_without_a_gpu(train, launched, tmp_path):
    train(KD, '--launcher', 'pytorch')
    assert torch.distributed.get_backend() == 'gloo'
    assert (tmp_path / 'work/best.pth').is_file()


@pytest.mark.slow
def test_a_second_training_in_a_work_directory_is_not_mixed_with_the_first(train, tmp_path):
    train('student/mnv3s_slim_shapes.py')
    result = tmp_path / 'work/test_test.json'
    result.write_text('{}')
    said = train('student/mnv3s_slim_shapes.py', '--seed', 1, '--tracker', 'tensorboard')
    assert 'work held an earlier run of student/mnv3s_slim_shapes.py, seed 0' in said
    (earlier,) = (tmp_path / 'work').glob('earlier_*')
    assert (earlier / 'test_test.json').is_file() and not result.exists()
    assert (earlier / 'best.pth').is_file()
    assert [path.is_dir() for path in earlier.glob('20*_*')] == [True]  # the logs
    assert json.loads((tmp_path / 'work/train.json').read_text())['seed'] == 1
    assert f'tensorboard --logdir {tmp_path / "work"}\n' in said
    (log,) = (tmp_path / 'work').glob('2*/vis_data/events.*')
    events = EventAccumulator(str(log))
    events.Reload()
    assert {'loss', 'decode.loss_ce', 'lr', 'mIoU'} <= {*events.Tags()['scalars']}
    names = [f'val_sample_{number}' for number in range(4)]
    assert events.Tags()['images'] == names
    pictures = sorted((tmp_path / 'work').glob('2*/vis_data/vis_image/*.png'))
    assert [path.stem for path in pictures] == [f'{name}_2' for name in names]


def test_another_project_s_config_takes_ours_as_its_base(tmp_path):
    path = tmp_path / 'own.py'
    path.write_text(
        "_base_ = ['segkd_mm::_base_/students/mnv3s_slim.py', 'segkd_mm::_base_/datasets/voc.py']\n"
        'model = dict(data_preprocessor=_base_.preprocessor, **_base_.student)\n'
        'model.update(decode_head=dict(_base_.student.decode_head, num_classes=_base_.num_classes))'
    )
    config = Config.fromfile(path)
    assert config.model.decode_head.num_classes == 21
    path.write_text(f"_base_ = 'segkd_mm::{KD}'\ntrain_cfg = dict(val_interval=3)\n")
    expected = load_config(KD, {'train_cfg.val_interval': 3})
    assert without_scopes(load_config(path).to_dict()) == expected.to_dict()


def without_scopes(node):
    if isinstance(node, dict):
        return {key: without_scopes(child) for key, child in node.items() if key != '_scope_'}
    return [without_scopes(child) for child in node] if isinstance(node, list) else node
