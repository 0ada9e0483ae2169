"""Benchmarks of what is deployed, on the smallest models and images."""

import json
from argparse import Namespace
from copy import deepcopy
from importlib import import_module
from pathlib import Path

import numpy as np
import onnx.helper
import onnx.numpy_helper
import pytest
from counting import halved_mnv3s_pico
from tiny_student import MODEL

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[2] / 'benchmarks'


@pytest.fixture
def table(script, tmp_path, monkeypatch):
    """Run a benchmark; give the rows of its result."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def run(name, *words):
        out = tmp_path / 'result.json'
        done = script(f'benchmarks/{name}.py', *words, '--size', 64, 64, '--out', out, cwd=tmp_path)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(out.read_text())['table']

    return run


def test_trunks_are_timed_as_they_train_and_fused(table):
    (row,) = table('fused_trunks', '--trunks', 'repghostnet_050', '--repeats', 2)
    assert row['parameters deployed'] < row['parameters trained']
    assert row['ratio'] == pytest.approx(row['ms trained'] / row['ms deployed'])
    assert row['difference'] < 1e-4


def file_of_another_tool(path):
    """An ONNX file from images of 64x64 to labels, as other tools end theirs."""
    make = onnx.helper.make_node
    nodes = [
        make('AveragePool', ['images'], ['pooled'], kernel_shape=[8, 8], strides=[8, 8]),
        make('Conv', ['pooled', 'weight'], ['logits']),
        make('Resize', ['logits', '', 'scales'], ['upsampled'], mode='linear'),
        make('ArgMax', ['upsampled'], ['labels'], axis=1, keepdims=0),
    ]
    images = onnx.helper.make_tensor_value_info('images', 1, [1, 3, 64, 64])
    labels = onnx.helper.make_tensor_value_info('labels', 7, [1, 64, 64])
    weight = np.random.default_rng(0).normal(size=(19, 3, 1, 1)).astype(np.float32)
    values = {'weight': weight, 'scales': np.array([1, 1, 8, 8], np.float32)}
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = onnx.helper.make_graph(nodes, 'other', [images], [labels], tensors)
    opsets = [onnx.helper.make_opsetid('', 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def test_a_peer_and_a_file_of_another_tool_race_in_one_runtime(table, tmp_path, monkeypatch):
    peers = {'tiny': deepcopy(MODEL)}
    monkeypatch.setattr('segkd_mm.measure.peers.peer_configs', lambda _: peers)
    file_of_another_tool(tmp_path / 'other.onnx')
    words = '--runtime', 'onnx', '--precisions', 'fp32', '--repeats', 2
    files = '--files', f'other={tmp_path}/other.onnx'
    rows = table('race', *words, '--models', 'tiny', *files)
    whose = {row['model']: row['whose'] for row in rows}
    others = {'other': 'peer', 'other, its own labels': 'peer'}
    assert whose == {'tiny': 'peer', **others}
    times = [row['fp32 ms'] for row in rows]
    assert times == sorted(times) and times[0] > 0
    given = {row['model']: row['parameters'] for row in rows if 'fp32 logits ms' in row}
    assert given.keys() == whose.keys() - {'other, its own labels'} and given['other'] == 19 * 3


def test_our_models_race_without_a_part_of_their_channels_too(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    models = ['mnv3s_pico', 'Fast-SCNN']
    words = Namespace(
        models=models, pruned=[0.5], trunks=[], files=[], size=(64, 64), runtime='onnx'
    )
    made = import_module('race').entries(words)
    assert [*made] == ['mnv3s_pico', 'mnv3s_pico, pruned by 0.5', 'Fast-SCNN']
    whole, half = (made[name]().facts for name in [*made][:2])
    assert half['parameters'] == halved_mnv3s_pico(classes=19)
    assert half['GMACs'] < whole['GMACs']


def test_an_unknown_model_of_the_race_is_named(script, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    done = script('benchmarks/race.py', '--models', 'mnv3s_nona', '--out', tmp_path / 'a.json')
    assert done.returncode == 1
    assert "did you mean 'mnv3s_nano'" in done.stderr
