"""Static int8 quantisation of an ONNX graph, calibrated on images, and the error of each layer.

The graph keeps float inputs and outputs. An int8 layer is preceded by pairs of QuantizeLinear and
DequantizeLinear, which runtimes fuse into it. Its weights use half of their range, 7 bits of 8.
"""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from types import ModuleType
from typing import Any

import numpy as np
from rich.progress import track

from segkd_mm.deploy.layers import OUTSIDE_MODEL, layers_within
from segkd_mm.deploy.runtime import EXTRA
from segkd_mm.libraries import import_library

os.environ.setdefault('NNCF_CI', '1')  # turns off nncf's telemetry

REMAINING, AT_MOST = 0.25, 8  # of the error, and of the layers that stay in float
FLOAT = 'float of '  # prefix of the names of weights of float layers


def quantise(model: Any, images: Sequence[np.ndarray], keep_float: Sequence[str] = ()) -> Any:
    """Quantise an ``onnx.ModelProto`` from :func:`segkd_mm.deploy.export.to_onnx` with nncf.

    Args:
        model: The graph; it is not changed.
        images: Calibration inputs of the graph, [1, C, H, W] each.
        keep_float: Names of modules or layers that stay in float.

    Raises:
        ValueError: No layer has one of the names.
    """
    nncf = import_library('nncf', EXTRA)
    nncf.set_log_level(logging.ERROR)
    names = [node.name for node in model.graph.node]
    return nncf.quantize(
        deepcopy(model),
        nncf.Dataset(images, lambda image: {'images': image}),
        subset_size=len(images),
        # Asymmetric activations and symmetric weights: as fast, and closer to the float model.
        preset=nncf.QuantizationPreset.MIXED,
        advanced_parameters=_parameters(nncf),
        ignored_scope=nncf.IgnoredScope(
            layers_within(names, [*OUTSIDE_MODEL, *keep_float]),
            types=['Slice'],  # OpenVINO 2026.4 mirrors int8 wrongly, by slices of negative steps
            validate=False,  # there may be none
        ),
    )


def _parameters(nncf: ModuleType) -> Any:
    """Parameters of nncf for files that run in all runtimes and on processors without VNNI."""
    advanced = nncf.quantization.advanced_parameters
    return nncf.AdvancedQuantizationParameters(
        # Weights of 7 bits: processors without VNNI add two products in 16 bits, which overflow
        # with weights of 8.
        overflow_fix=nncf.OverflowFix.ENABLE,
        # ONNX Runtime cannot run depthwise convolutions of an input with a scale for each channel.
        activations_quantization_params=advanced.QuantizationParameters(per_channel=False),
    )


def layer_errors(model: Any, quantised: Any, images: Sequence[np.ndarray]) -> dict[str, float]:
    """Measure the output error of each layer, by name, when only that layer is in int8.

    The error is the mean squared difference of the logits, relative to the mean square of the
    logits; for a graph that gives labels, the share of labels that differ.

    Args:
        model: The float graph.
        quantised: The same graph from :func:`quantise`.
        images: Inputs to run it on; a few are enough.
    """
    expected = _outputs(model, images)
    return {
        layer: _error(_outputs(with_one_int8_layer(layer, model, quantised), images), expected)
        for layer in track(quantised_layers(model, quantised), 'Layer by layer')
    }


def quantised_layers(model: Any, quantised: Any) -> list[str]:
    """Names of the layers that are in int8."""
    floats = {node.name: list(node.input) for node in model.graph.node}
    nodes = quantised.graph.node
    return [n.name for n in nodes if n.name in floats and list(n.input) != floats[n.name]]


def with_one_int8_layer(layer: str, model: Any, quantised: Any) -> Any:
    """Make a graph in which only one layer is in int8."""
    mixed = deepcopy(quantised)
    floats = {node.name: node for node in model.graph.node}
    weights = {weight.name for weight in model.graph.initializer}
    for node in mixed.graph.node:
        if node.name in floats and node.name != layer:
            # nncf corrects biases: the quantised graph has other weights under the same names.
            inputs = [FLOAT + n if n in weights else n for n in floats[node.name].input]
            node.ClearField('input')
            node.input.extend(inputs)
    for weight in model.graph.initializer:
        mixed.graph.initializer.add().CopyFrom(weight)
        mixed.graph.initializer[-1].name = FLOAT + weight.name
    _prune(mixed.graph)
    return mixed


def worst_layers(errors: Mapping[str, float]) -> list[str]:
    """The fewest layers without which at most a quarter of the error is left, up to eight."""
    ordered = sorted(errors, key=errors.get, reverse=True)
    total = sum(errors.values())
    for count in range(1, AT_MOST):
        if sum(errors[name] for name in ordered[count:]) <= REMAINING * total:
            return ordered[:count]
    return ordered[:AT_MOST]


def _prune(graph: Any) -> None:
    """Remove nodes and weights that no output depends on."""
    needed = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):
        if needed.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            needed.update(node.input)
    for weight in list(graph.initializer):
        if weight.name not in needed:
            graph.initializer.remove(weight)


def _outputs(model: Any, images: Iterable[np.ndarray]) -> list[np.ndarray]:
    ort = import_library('onnxruntime', EXTRA)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=['CPUExecutionProvider']
    )
    return [session.run(None, {'images': image})[0] for image in images]


def _error(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    pairs = list(zip(found, expected, strict=True))
    if expected[0].dtype != np.float32:
        return float(np.mean([np.mean(one != other) for one, other in pairs]))
    noise = sum(np.square(one - other, dtype=np.float64).sum() for one, other in pairs)
    return float(noise / sum(np.square(other, dtype=np.float64).sum() for other in expected))
