"""The models of others that tools/benchmark.py measures."""

import re
import sys

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from segkd_mm.config import config_dir
from segkd_mm.deploy.loading import deployable
from segkd_mm.measure.model_cost import count_parameters
from segkd_mm.measure.peers import build_peers, peer_configs

FILES = {file.stem: file for file in (config_dir() / '_base_' / 'peers').glob('*.py')}
STRIDES = {
    'lraspp_mnv3l_torchvision': 8,
    'deeplabv3_mnv3l_torchvision': 16,
    'deeplabv3plus_mnv3s_smp': 4,
    'lraspp_mnv3l_mmseg': 2,
}
each_peer = pytest.mark.parametrize('name', STRIDES)


def build(name):
    if name.endswith('_smp'):
        pytest.importorskip('segmentation_models_pytorch')
    return deployable(MODELS.build(Config.fromfile(FILES[name]).peer)).eval()


def test_all_are_there():
    assert set(FILES) == set(STRIDES)


@each_peer
@torch.no_grad()
def test_a_peer_has_the_stated_parameters_the_classes_and_a_stride(name):
    (stated,) = re.findall(r'([\d,]+) parameters', FILES[name].read_text())
    with torch.device('meta'):  # shapes alone, without the work
        model = build(name)
        logits = model(torch.zeros(1, 3, 416, 448))
    assert count_parameters(model) == int(stated.replace(',', ''))
    assert logits.shape == (1, 21, 416 // STRIDES[name], 448 // STRIDES[name])


def test_classes_are_given_to_all():
    models = peer_configs(5)
    assert {model.get('decode_head', model).num_classes for model in models.values()} == {5}


@torch.no_grad()
def test_torchvisions_lraspp_gives_its_logits():
    theirs = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21).eval()
    ours = build('lraspp_mnv3l_torchvision')
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(1, 3, 64, 96)
    torch.testing.assert_close(ours.encode_decode(images, []), theirs(images)['out'])


def test_what_cannot_run_is_named_and_left_out(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'segmentation_models_pytorch', None)
    found = build_peers(4, torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    assert set(found) == {'lraspp_mnv3l_torchvision', 'deeplabv3_mnv3l_torchvision'}
    assert {model.num_classes for model in found.values()} == {4}
    smp, mmseg = sorted(capsys.readouterr().out.splitlines())
    assert smp.startswith('deeplabv3plus_mnv3s_smp is left out: segmentation_models_pytorch is not')
    assert mmseg.startswith('lraspp_mnv3l_mmseg is left out: Given input size')
