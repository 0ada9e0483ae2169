"""int8: which layers, what each costs, and what stays in float."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.mobilenetv3 import InvertedResidual, InvertedResidualConfig

from segkd_mm.deploy.export import to_onnx, to_program
from segkd_mm.deploy.layers import layers_within
from segkd_mm.deploy.quantise import layer_errors, quantise, quantised_layers, worst_layers


class Net(nn.Module):
    """Three convs; between the first two, one channel is a thousand times the others.

    In float that is made good by the weights of the second. In int8 the steps of its input are then
    too coarse for all other channels.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.third = (
            nn.Conv2d(i, o, 3, padding=1) for i, o in [(3, 8), (8, 8), (8, 4)]
        )
        with torch.no_grad():
            self.first.weight[0] *= 1000
            self.first.bias[0] *= 1000
            self.second.weight[:, 0] /= 1000

    def forward(self, x):
        return self.third(self.second(self.first(x).relu()).relu())


class Graph(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images)


@pytest.fixture(scope='module')
def model():
    return to_onnx(to_program(Graph(Net()).eval()))


@pytest.fixture(scope='module')
def images():
    rng = np.random.default_rng(0)
    return list(rng.normal(size=(6, 1, 3, 24, 32)).astype(np.float32))


@pytest.fixture(scope='module')
def quantised(model, images):
    return quantise(model, images)


def test_nodes_bear_the_names_of_their_modules(model):
    names = [node.name for node in model.graph.node]
    assert names == ['first', 'graph/Relu', 'second', 'graph/Relu_2', 'third']


def test_all_convs_work_in_int8_and_the_given_graph_stays_as_it_was(model, quantised):
    assert quantised_layers(model, quantised) == ['first', 'second', 'third']
    assert {node.op_type for node in model.graph.node} == {'Conv', 'Relu'}


def test_the_layer_that_int8_breaks_is_found_and_kept_in_float(model, images, quantised):
    errors = layer_errors(model, quantised, images[:2])
    assert max(errors, key=errors.get) == 'second'
    assert errors['second'] > 10 * (errors['first'] + errors['third']) > 0
    assert worst_layers(errors) == ['second']

    kept = quantise(model, images, ['second'])
    assert quantised_layers(model, kept) == ['first', 'third']
    assert errors['second'] > 10 * sum(layer_errors(model, kept, images[:2]).values())


def test_errors_of_the_layers_add_up_to_that_of_the_whole(model, images, quantised):
    whole, expected = outputs(quantised, images), outputs(model, images)
    error = np.square(whole - expected).sum() / np.square(expected).sum()
    assert sum(layer_errors(model, quantised, images).values()) == pytest.approx(error, rel=0.3)


def test_sums_of_large_products_hold_on_processors_without_vnni():
    convs = [nn.Conv2d(channels, 8, 1, bias=False) for channels in (3, 8, 8)]
    for conv in convs:
        nn.init.ones_(conv.weight)
    model = to_onnx(to_program(Graph(nn.Sequential(*convs)).eval()))
    images = list(np.random.default_rng(0).uniform(0.9, 1, (6, 1, 3, 24, 32)).astype(np.float32))
    found, expected = (outputs(one, images) for one in (quantise(model, images), model))
    assert found == pytest.approx(expected, rel=0.05)


def test_depthwise_convs_run_in_onnx_runtime(images):
    torch.manual_seed(0)
    block = InvertedResidual(
        InvertedResidualConfig(16, 3, 72, 24, False, 'RE', 1, 1, 1), nn.BatchNorm2d
    )
    model = Graph(nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), block)).eval()
    model = to_onnx(to_program(model))
    found, expected = (outputs(one, images) for one in (quantise(model, images), model))
    assert np.abs(found - expected).mean() < 0.05 * np.abs(expected).mean()


def outputs(model, images):
    import onnxruntime as ort

    session = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    return np.concatenate([session.run(None, {'images': image})[0] for image in images])


@pytest.mark.parametrize(
    ('errors', 'worst'),
    [
        (dict(a=1.0, b=8.0, c=1.0), ['b']),
        (dict(a=1.0, b=1.0, c=1.0, d=1.0), ['a', 'b', 'c']),
        (dict.fromkeys('abcdefghijklmnop', 1.0), [*'abcdefgh']),
    ],
)
def test_the_worst_layers_are_those_but_for_which_a_quarter_stays(errors, worst):
    assert worst_layers(errors) == worst


def test_layers_are_found_by_their_modules():
    names = ['a.1', 'a.1/Relu', 'a.1.conv', 'a.10', 'b/Add']
    assert layers_within(names, ['a.1']) == ['a.1', 'a.1/Relu', 'a.1.conv']
    assert layers_within(names, ['b', 'a.10', 'b/Add', 'normalise']) == ['b/Add', 'a.10']
    with pytest.raises(ValueError, match=r'no layer a\.1\.con \(did you mean .a\.1\.conv'):
        layers_within(names, ['a.1.con'])
