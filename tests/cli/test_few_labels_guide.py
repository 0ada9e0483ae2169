"""The configs and commands of docs/few_labels.md, run as a user runs them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPO = Path(__file__).parents[2]
QUICK = [
    'train_cfg.max_epochs=1', 'param_scheduler.end=1', 'train_cfg.val_interval=1',
    *(f'{part}_dataloader.{option}' for part in ('train', 'val', 'test')
      for option in ('num_workers=0', 'persistent_workers=False')),
]  # fmt: skip
SHORTER = {'batch_size=8': 'batch_size=4', 'per_batch=4': 'per_batch=2',
           '(256, 256)': '(64, 64)', '(2048, 320)': '(96, 64)'}  # fmt: skip


def blocks(language):
    """The code of the guide's part "In ten minutes"."""
    text = (REPO / 'docs/few_labels.md').read_text()
    text = text.split('\n## In ten minutes')[1].split('\n## Which images')[0]
    return [part.split('\n```')[0] for part in text.split(f'```{language}\n')[1:]]


def make_images(root, part, count, masks):
    rng = np.random.default_rng(0)
    for kind in ('images', 'masks'):
        (root / kind / part).mkdir(parents=True)
    for number in range(count):
        ids = np.zeros((64, 64), np.uint8)
        ids[8:40, 8:40] = 1 + number % 2
        image = (ids[..., None] * 100 + rng.integers(0, 30, (64, 64, 3))).astype(np.uint8)
        Image.fromarray(image).save(root / f'images/{part}/{number}.jpg')
        if number < masks:
            Image.fromarray(ids).save(root / f'masks/{part}/{number}.png')


@pytest.mark.slow
def test_the_guide_trains_a_student_with_half_of_the_images_labelled(script, tmp_path):
    make_images(tmp_path / 'data/mine', 'train', 8, masks=4)
    make_images(tmp_path / 'data/mine', 'val', 2, masks=2)
    shutil.copytree(REPO / 'configs/_base_', tmp_path / 'configs/_base_')
    (tmp_path / 'configs/mine').mkdir()
    for name, text in zip(('teacher', 'few_labels'), blocks('python'), strict=True):
        for long, short in SHORTER.items():
            text = text.replace(long, short)
        (tmp_path / f'configs/mine/{name}.py').write_text(text)
    printed = ''
    for command in blocks('bash')[0].splitlines():
        _, tool, *words = command.split()
        weights = 'backbone.init_cfg' if 'teacher' in words[0] else 'student.backbone.weights'
        done = script(tool, *words, '--cfg-options', f'model.{weights}=None', *QUICK, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        printed += ' '.join(done.stdout.split())
    assert 'Of 4 images in a batch 2 have labels' in printed
    assert "labels' gradient is 1 times that of these images alone" in printed
