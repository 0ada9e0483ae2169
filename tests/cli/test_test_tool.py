import json
from copy import deepcopy

import cv2
import pytest
import torch
from mmengine.config import ConfigDict
from tiny_student import MODEL, tiny_student


@pytest.fixture
def test_tool(script, tiny, tmp_path):
    """Test the tiny student by a distillation config, whose teacher is nowhere."""
    config = tiny('kd/response_kd_shapes.py')
    config.model.student = ConfigDict(deepcopy(MODEL))
    config.model.teacher.checkpoint = '/nowhere.pth'
    config.dump(tmp_path / 'tiny.py')
    torch.save(tiny_student().state_dict(), tmp_path / 'best.pth')
    return lambda file, *words: script('tools/test.py', 'tiny.py', file, *words, cwd=tmp_path)


@pytest.mark.slow
def test_a_result_with_augmentation_says_so_and_has_a_file_of_its_own(test_tool, tmp_path):
    results = {}
    for name, words in {'test_test': [], 'test_test_tta': ['--tta', '--pictures', 'out']}.items():
        done = test_tool('best.pth', *words)
        assert done.returncode == 0, done.stderr[-2000:]
        results[name] = json.loads((tmp_path / f'{name}.json').read_text())
    plain, augmented = results.values()
    assert 'with test-time augmentation' in done.stdout
    assert ('tta' in plain, augmented['tta']) == (False, True)
    assert plain['metrics']['mIoU'] != augmented['metrics']['mIoU']
    assert plain['parameters'] == augmented['parameters']
    assert cv2.imread(str(next((tmp_path / 'out').glob('val_*.png')))) is not None


@pytest.mark.slow
def test_a_result_in_windows_has_a_file_of_its_own(test_tool, tmp_path):
    done = test_tool('best.pth', '--window', 64)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads((tmp_path / 'test_test_window.json').read_text())
    assert (result['window'], result['overlap'], result['images']) == (64, 32, 4)
    assert result['metrics']['mIoU'] > 1
    done = test_tool('best.pth', '--window', 64, '--tta')
    assert '--tta resizes images, and --window needs them as they are' in done.stderr


def test_exported_files_have_no_augmentation(test_tool):
    done = test_tool('best.pt2', '--tta')
    assert done.returncode == 2
    assert 'best.pt2 may give labels alone. Test the checkpoint that it was exported' in done.stderr
