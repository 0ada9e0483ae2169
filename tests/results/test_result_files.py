import json
import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from segkd_mm.results.files import command_line, read_results, write_result


def test_result_comes_back_with_its_origin(tmp_path):
    payload = {'config': 'configs/kd/cwd_voc.py', 'metrics': {'mIoU': 66.25}, 'seed': 0}
    write_result(tmp_path / 'a.json', payload)
    (result,) = read_results([tmp_path / 'a.json'])
    assert {key: result[key] for key in payload} == payload
    assert list(result) == [*payload, 'command', 'date', 'environment']
    assert datetime.now(timezone.utc) >= datetime.fromisoformat(result['date'])
    assert 'torch' in result['environment']


def test_values_become_plain_json(tmp_path):
    payload = {
        'checkpoint': Path('work_dirs/a.pth'),
        'per_class': {'cat': np.float32(0.5), 'bus': float('nan'), 'car': np.float64('nan')},
        'latency_ms': (1.5, np.int64(2)),
    }
    write_result(tmp_path / 'a.json', payload)
    (result,) = read_results([tmp_path / 'a.json'])
    assert result['checkpoint'] == 'work_dirs/a.pth'
    assert result['per_class'] == {'cat': 0.5, 'bus': None, 'car': None}
    assert result['latency_ms'] == [1.5, 2]


@pytest.mark.parametrize(
    ('value', 'kind'), [(object(), TypeError), (float('inf'), ValueError)], ids=['object', 'inf']
)
def test_value_that_json_cannot_hold(tmp_path, value, kind):
    path = tmp_path / 'a.json'
    path.write_text('{"old": 1}')
    with pytest.raises(kind, match=r'a\.json: the result cannot be written as JSON'):
        write_result(path, {'fine': 1, 'bad': value})
    assert json.loads(path.read_text()) == {'old': 1}
    assert list(tmp_path.iterdir()) == [path]


def test_results_keep_the_order_asked_for(tmp_path):
    for name in 'ab':
        (tmp_path / name).write_text(json.dumps({'name': name}))
    found = read_results([tmp_path / 'b', tmp_path / 'a'])
    assert [result['name'] for result in found] == ['b', 'a']


def test_broken_result_is_named(tmp_path):
    (tmp_path / 'half.json').write_text('{"config": ')
    with pytest.raises(ValueError, match=r'half\.json: not a result file: found no JSON'):
        read_results([tmp_path / 'half.json'])


def test_result_of_another_kind_is_named(tmp_path):
    (tmp_path / 'list.json').write_text('[]')
    with pytest.raises(ValueError, match=r'list\.json: .* found a JSON list, expected an object'):
        read_results([tmp_path / 'list.json'])


def test_missing_result_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.json'):
        read_results([tmp_path / 'none.json'])


def test_command_line_is_relative_and_quoted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [
        '/home/ada/venv/bin/python3',
        f'{tmp_path}/tools/test.py',
        'configs/a b.py',
        f'--work-dir={tmp_path}/out',
        '/data/voc',
    ]
    monkeypatch.setattr(sys, 'orig_argv', words)
    expected = "python tools/test.py 'configs/a b.py' --work-dir=out /data/voc"
    assert command_line() == expected


def test_each_result_of_the_repository_is_read():
    files = sorted((Path(__file__).parents[2] / 'results').rglob('*.json'))
    objects = [file for file in files if isinstance(json.loads(file.read_text()), dict)]
    assert len(read_results(objects)) == len(objects) > 150
