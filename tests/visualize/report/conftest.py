"""Work directories as train and test --pictures leave them, made up, of three tiny images."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segkd_mm.evaluation import class_scores, mean_iou
from segkd_mm.visualize.label_maps import LabelMapIndex, label_map_file, write_label_map
from segkd_mm.visualize.report.scores import image_score

CLASSES = ['sky', 'road', 'car <b>']
PALETTE = [[70, 130, 180], [128, 64, 128], [0, 0, 142]]
TRUTH = np.array([[0, 0, 0, 0], [1, 1, 2, 255]])
# Of three images: how many pixels from the left are wrong, by run.
WRONG = {'plain': (4, 1, 0), 'kd': (2, 0, 0)}


def predicted(wrong):
    """The truth, with the first pixels of the upper row as road; void is predicted as sky."""
    label_map = np.where(TRUTH == 255, 0, TRUTH)
    label_map[0, :wrong] = 1
    return label_map


def write_log(folder):
    folder.mkdir(parents=True)
    lines = [
        {'lr': 0.1, 'data_time': 0.1, 'loss': 2.0, 'time': 0.5, 'iter': 20, 'step': 20},
        {'mIoU': 41.5, 'aAcc': 60.0, 'data_time': 0.1, 'time': 0.5, 'step': 20},
        {'lr': 0.0, 'data_time': 0.1, 'loss': 1.0, 'time': 0.5, 'iter': 40, 'step': 40},
    ]
    (folder / 'scalars.json').write_text(''.join(json.dumps(line) + '\n' for line in lines))


def write_test(folder: Path, images, wrong):
    """A test result with its label maps; gives the mIoU in it."""
    pictures, total = folder / 'pictures', 0
    for image, pixels in zip(images, wrong, strict=True):
        for kind, mask in {'truth': TRUTH, 'prediction': predicted(pixels)}.items():
            write_label_map(label_map_file(pictures, kind, image.stem), mask, PALETTE)
        total = total + image_score(TRUTH, predicted(pixels), 3).confusion
    LabelMapIndex(CLASSES, PALETTE, {i.stem: str(i) for i in images}).write(pictures)
    result = {
        'config': 'configs/a.py', 'checkpoint': str(folder / 'best.pth'), 'dataset': 'VOCDataset',
        'split': 'test', 'images': 3, 'pictures': str(pictures),
        'metrics': {'mIoU': round(mean_iou(total), 2), 'aAcc': 80.0},
        'per_class': {row['class']: row['IoU'] for row in class_scores(total, CLASSES)},
        'command': 'segkd test configs/a.py best.pth', 'date': '2026-01-31T10:00:00+00:00',
        'environment': {'torch': '2.6.0'},
    }  # fmt: skip
    (folder / 'test_test.json').write_text(json.dumps(result))


def write_training(folder: Path, config=None):
    write_log(folder / '20260131_090000' / 'vis_data')
    record = {
        'config': 'configs/a.py', 'seed': 0, 'seconds': 90.0, 'best_mIoU': 41.5,
        'command': 'segkd train configs/a.py --cfg-options "data_root=/my data" x=1',
        'date': '2026-01-31T09:00:00+00:00',
        'environment': {'torch': '2.6.0', 'commit': 'abc', 'dirty': True},
    }  # fmt: skip
    (folder / 'train.json').write_text(json.dumps(record))
    settings = {key: json.dumps(value) for key, value in (config or {}).items()}
    (folder / 'config.json').write_text(json.dumps(settings))


@pytest.fixture
def work_dirs(tmp_path, monkeypatch):
    """The folder of two runs, ``plain`` and ``kd``, which is the working directory's."""
    monkeypatch.chdir(tmp_path)
    images = [tmp_path / 'data' / f'{number}.png' for number in range(3)]
    (tmp_path / 'data').mkdir()
    for number, image in enumerate(images):
        Image.new('RGB', (4, 2), (80 * number, 90, 100)).save(image)
    for name, wrong in WRONG.items():
        folder = tmp_path / 'work_dirs' / name
        write_training(folder, {'model.type': 'SegDistiller'} if name == 'kd' else None)
        write_test(folder, images, wrong)
    return tmp_path / 'work_dirs'
