"""benchmarks/layer_times.py, run in this process."""

import importlib.util
import json
import sys

import pytest
import torch
from ink import ink
from tiny_student import MODEL, tiny_student
from torch import nn
from torchvision.ops import SqueezeExcitation

from segkd_mm.config import config_dir
from segkd_mm.deploy.export import save_openvino, to_onnx, to_program
from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.loading import deployable

SCRIPT = config_dir().parent / 'benchmarks' / 'layer_times.py'


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location('layer_times', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ('name', 'operator', 'kind'),
    [
        ('dense', '', 'dense convolutions'),
        ('pointwise', '', 'pointwise convolutions'),
        ('depthwise', 'GroupConvolution', 'depthwise convolutions'),
        ('dense', 'Reorder', 'rest'),
        ('norm', '', 'norms and activations'),
        ('squeeze', 'Multiply', 'squeeze and excitation'),
        ('squeeze.fc1', '', 'squeeze and excitation'),
        ('anything', 'Interpolate', 'resizing, concatenation'),
        ('anything', 'Add', 'rest'),
    ],
)
def test_kinds(script, name, operator, kind):
    net = nn.ModuleDict(
        {
            'dense': nn.Conv2d(4, 4, 3),
            'pointwise': nn.Conv2d(4, 4, 1),
            'depthwise': nn.Conv2d(4, 4, 3, groups=4),
            'norm': nn.BatchNorm2d(4),
            'squeeze': SqueezeExcitation(4, 2),
        }
    )
    assert script.kind_of(dict(net.named_modules()), name, operator) == kind


def test_the_table_by_hand(script):
    found = {
        'floor': {('head', 'dense convolutions'): 1.0},
        'torch': {('head', 'rest'): 0.5, ('body', 'dense convolutions'): 2.0,
                  ('head', 'dense convolutions'): 3.0},
    }  # fmt: skip
    assert script.rows(found) == [
        {'part': 'head', 'kind': 'dense convolutions', 'floor': 1.0, 'torch': 3.0},
        {'part': 'head', 'kind': 'rest', 'floor': None, 'torch': 0.5},
        {'part': 'body', 'kind': 'dense convolutions', 'floor': None, 'torch': 2.0},
        {'part': 'all', 'kind': '', 'floor': 1.0, 'torch': 5.5},
    ]
    assert script.shares(found['torch'])['dense convolutions'] == pytest.approx(5 / 5.5)


@pytest.mark.slow
def test_torch_and_openvino_are_profiled_by_the_layers_of_the_model(
    script, tmp_path, monkeypatch, capsys
):
    (tmp_path / 'tiny.py').write_text(f'model = {MODEL!r}')
    graph = DeployedGraph(deployable(tiny_student())).eval()
    known = dict(classes=[*'abcdefgh'], precision='fp32', config='tiny.py')
    model = to_onnx(to_program(graph))
    save_openvino(model, tmp_path / 'tiny.xml', {**graph.describe(), **known})
    monkeypatch.chdir(tmp_path)
    words = ['tiny.py', 'tiny.xml', '--size', '64', '96', '--repeats', '2', '--out', 'x.json']
    monkeypatch.setattr(sys, 'argv', ['layer_times.py', *words])
    threads = torch.get_num_threads()
    script.main()
    torch.set_num_threads(threads)

    result = json.loads((tmp_path / 'x.json').read_text())
    *parts, whole = result['table']
    rows = {(row['part'], row['kind']): row for row in parts}
    for where, kinds in {
        'backbone': {'dense', 'pointwise'},
        'decode_head': {'dense', 'pointwise', 'depthwise'},
    }.items():
        for kind in kinds:
            row = rows[where, f'{kind} convolutions']
            assert min(row['floor, fp32'], row['torch'], row['tiny.xml']) > 0
    assert whole['torch'] == pytest.approx(sum(row['torch'] or 0 for row in parts))
    for shares in result['ratios'].values():
        assert sum(shares.values()) == pytest.approx(1)
    assert 0.01 < ink(tmp_path / 'x.png') < 0.8
    assert 'decode_head' in capsys.readouterr().out
