"""The commands and the config of docs/your_data.md, run as a user runs them."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPO = Path(__file__).parents[2]
GUIDE = (REPO / 'docs/your_data.md').read_text()
QUICK = [
    f'{part}_dataloader.{option}' for part in ('train', 'val', 'test')
    for option in ('num_workers=0', 'persistent_workers=False')
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """The images and masks of the guide, in data/."""
    for kind in ('images', 'masks'):
        (tmp_path / 'data' / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(12):
        ids = np.zeros((64, 64), np.uint8)
        ids[8:40, 8:40] = 1 + number % 2
        image = (ids[..., None] * 100 + rng.integers(0, 30, (64, 64, 3))).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / f'data/images/{number}.jpg')
        Image.fromarray(ids).save(tmp_path / f'data/masks/{number}.png')
    return tmp_path


@pytest.mark.slow
def test_the_commands_of_the_guide_lead_from_a_folder_to_an_exported_model(script, folder):
    lines = GUIDE.split('```bash\n')[1].split('```')[0].replace('\\\n', '').splitlines()
    new, *others = [shlex.split(line)[1:] for line in lines]
    done = script(*new, '--epochs', 2, '--student', 'mnv3s_nano', cwd=folder)
    assert done.returncode == 0, done.stderr
    printed = [line.strip() for line in done.stdout.splitlines()]
    text = (folder / 'roads.py').read_text()
    (folder / 'roads.py').write_text(text.replace("'hub'", 'None'))
    for tool, *words in others:
        assert shlex.join(['python', str(REPO / tool), *words]) in printed
        done = script(tool, *words, '--cfg-options', *QUICK, cwd=folder)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    work = folder / 'work_dirs/roads'
    assert len([*(work / 'pictures').glob('*.png')]) >= 1
    assert (work / 'best_fp32.onnx').is_file()


@pytest.mark.slow
def test_the_config_of_the_guide_trains(script, folder):
    text = GUIDE.split('```python\n')[1].split('```')[0]
    text = text.replace("'data/mine", "'data").replace('../configs', f'{REPO}/configs')
    (folder / 'mine.py').write_text(text)
    done = script(
        'tools/train.py', 'mine.py', '--work-dir', 'work', '--epochs', 1, '--cfg-options',
        'model.backbone.weights=None', 'train_dataloader.batch_size=2', *QUICK, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (folder / 'work' / 'best.pth').exists()
