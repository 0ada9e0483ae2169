"""The config of docs/your_data.md, run as a user runs it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.mark.slow
def test_a_folder_of_images_trains(script, tmp_path):
    for kind in ('images', 'masks'):
        (tmp_path / kind).mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        ids = np.zeros((64, 64), np.uint8)
        ids[8:40, 8:40] = 1 + number % 2
        image = (ids[..., None] * 100 + rng.integers(0, 30, (64, 64, 3))).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / f'images/{number}.jpg')
        Image.fromarray(ids).save(tmp_path / f'masks/{number}.png')
    repo = Path(__file__).parents[2]
    text = (repo / 'docs/your_data.md').read_text().split('```python\n')[1].split('```')[0]
    text = text.replace("'data/mine", f"'{tmp_path}").replace('../configs', f'{repo}/configs')
    config = tmp_path / 'mine.py'
    config.write_text(text)
    done = script(
        'tools/train.py', config, '--work-dir', tmp_path / 'work', '--cfg-options',
        'train_cfg.max_epochs=1', 'param_scheduler.end=1', 'train_cfg.val_interval=1',
        'model.backbone.weights=None', 'train_dataloader.batch_size=2',
        'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
        'val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False',
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (tmp_path / 'work' / 'best.pth').exists()
