"""benchmarks/labels.py, run in this process."""

import json
import runpy
import sys

import cv2
import numpy as np
import pytest
import torch
from tiny_student import MODEL, tiny_student

from segkd_mm.config import config_dir

SCRIPT = config_dir().parent / 'benchmarks' / 'labels.py'


@pytest.mark.slow
@pytest.mark.parametrize('runtime', [[], ['--runtime', 'onnx', '--strides', '8', '--classes', '3']])
def test_both_ways_are_measured_for_each_stride_and_number_of_classes(
    runtime, tmp_path, monkeypatch
):
    (tmp_path / 'tiny.py').write_text(f"default_scope = 'mmseg'\nmodel = {MODEL!r}")
    torch.save(tiny_student().state_dict(), tmp_path / 'tiny.pth')
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    for name in 'ab':
        cv2.imwrite(str(tmp_path / f'{name}.png'), image)
    monkeypatch.chdir(tmp_path)
    words = ['tiny.py', 'tiny.pth', 'a.png', 'b.png', '--size', '64', '--repeats', '1', *runtime]
    monkeypatch.setattr(sys, 'argv', ['labels.py', *words, '--threads', '1', '--out', 'x.json'])
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cpu')
    runpy.run_path(str(SCRIPT), run_name='__main__')

    result = json.loads((tmp_path / 'x.json').read_text())
    assert len(result['ratios']) == len(result['table']) == (2 if runtime else 3 * 3 * 2)
    for row in result['table']:
        name = '{classes} classes, stride {stride}, {logits}'.format(**row)
        assert result['ratios'][name] == pytest.approx(row['usual ms'] / row['fast ms'])
        assert row['differ'] < 1e-3
