"""int8 of an ONNX graph: static, calibrated on images; and which layers it costs most.

The graph keeps float inputs and outputs; before a layer that works in int8 stand pairs of
QuantizeLinear and DequantizeLinear, which runtimes melt into it.
"""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from rich.progress import track

from segkd_mm.deploy.layers import AROUND, layers_within
from segkd_mm.deploy.runtime import EXTRA
from segkd_mm.segmentors.libraries import library

os.environ.setdefault('NNCF_CI', '1')  # else nncf, once imported, reports each use to its makers

FLOAT = 'float of '  # before the names of the weights of layers that stay in float


def quantise(model: Any, images: Sequence[np.ndarray], keep_float: Sequence[str] = ()) -> Any:
    """A quantised ``onnx.ModelProto``, by nncf, of one from :func:`segkd_mm.deploy.export.to_onnx`.

    Args:
        model: The graph; it stays as it is.
        images: To calibrate on, as the graph takes them, [1, 3, H, W] each.
        keep_float: Names of modules or layers that stay in float.

    Raises:
        ValueError: No layer has one of the names.
    """
    nncf = library('nncf', EXTRA)
    nncf.set_log_level(logging.ERROR)
    names = [node.name for node in model.graph.node]
    return nncf.quantize(
        deepcopy(model),
        nncf.Dataset(images, lambda image: {'images': image}),
        subset_size=len(images),
        # Activations asymmetric, weights symmetric: as fast, and nearer to the float model.
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(layers_within(names, [*AROUND, *keep_float])),
    )


def layer_errors(model: Any, quantised: Any, images: Sequence[np.ndarray]) -> dict[str, float]:
    """What each layer costs: the error of the output when it alone is in int8, by its name.

    The error is the mean square of the difference of the logits, relative to that of the logits; of
    a graph that gives labels, the share of labels that differ.

    Args:
        model: The float graph.
        quantised: The same from :func:`quantise`.
        images: To run it on; a few do.
    """
    expected = _outputs(model, images)
    return {
        layer: _error(_outputs(only(layer, model, quantised), images), expected)
        for layer in track(quantised_layers(model, quantised), 'Layer by layer')
    }


def quantised_layers(model: Any, quantised: Any) -> list[str]:
    """Names of the layers that work in int8."""
    floats = {node.name: list(node.input) for node in model.graph.node}
    nodes = quantised.graph.node
    return [n.name for n in nodes if n.name in floats and list(n.input) != floats[n.name]]


def only(layer: str, model: Any, quantised: Any) -> Any:
    """The graph with a single layer in int8."""
    mixed = deepcopy(quantised)
    floats = {node.name: node for node in model.graph.node}
    weights = {weight.name for weight in model.graph.initializer}
    for node in mixed.graph.node:
        if node.name in floats and node.name != layer:
            # The quantised graph has other weights under the same names: it corrects biases.
            inputs = [FLOAT + n if n in weights else n for n in floats[node.name].input]
            node.ClearField('input')
            node.input.extend(inputs)
    for weight in model.graph.initializer:
        mixed.graph.initializer.add().CopyFrom(weight)
        mixed.graph.initializer[-1].name = FLOAT + weight.name
    _prune(mixed.graph)
    return mixed


def worst_layers(errors: Mapping[str, float], left: float = 0.25, at_most: int = 8) -> list[str]:
    """The layers to keep in float first: the fewest but for which ``left`` of the error stays."""
    ordered = sorted(errors, key=errors.get, reverse=True)
    total = sum(errors.values())
    for count in range(1, at_most):
        if sum(errors[name] for name in ordered[count:]) <= left * total:
            return ordered[:count]
    return ordered[:at_most]


def _prune(graph: Any) -> None:
    """Leave out what leads to no output."""
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
    ort = library('onnxruntime', EXTRA)
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
