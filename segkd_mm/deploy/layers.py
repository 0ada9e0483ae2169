"""Names of the layers of an ONNX graph, after the modules of the PyTorch model.

Nodes outside the model are named ``normalise/...`` and ``graph/...``.
"""

import ast
from collections.abc import Iterable, Sequence
from typing import Any

from segkd_mm.hints import did_you_mean

SCOPES = 'pkg.torch.onnx.name_scopes'
OUTSIDE_MODEL = 'normalise', 'graph'
MODEL = 'model.'  # the name of the segmentor in the graph


def name_nodes(model: Any) -> Any:
    """Name the nodes of an ``onnx.ModelProto`` from torch after the modules they come from.

    A layer with weights has the name of its module, other nodes of a module MODULE/OPERATOR.
    """
    weights = {weight.name for weight in model.graph.initializer}
    taken = set()
    for node in model.graph.node:
        node.name = _unique(_name(node, weights), taken)
        taken.add(node.name)
    return model


def layers_within(names: Iterable[str], modules: Sequence[str]) -> list[str]:
    """Select the names of layers that are one of the modules or inside of one.

    Raises:
        ValueError: A module has no layer; the message names close matches.
    """
    names = list(names)
    found = {module: [name for name in names if _is_within(name, module)] for module in modules}
    for module, layers in found.items():
        if not layers and module not in OUTSIDE_MODEL:
            hint = did_you_mean(module, names, cutoff=0.5)
            raise ValueError(
                f'The exported model has no layer {module}{hint}; give a module or layer.'
            )
    return list(dict.fromkeys(name for layers in found.values() for name in layers))


def _is_within(name: str, module: str) -> bool:
    return name == module or name.startswith((module + '.', module + '/'))


def _name(node: Any, weights: set[str]) -> str:
    weight = [name for name in node.input if name in weights and name.endswith('.weight')]
    if weight:
        return weight[0].removesuffix('.weight').removeprefix(MODEL)
    scopes = {entry.key: entry.value for entry in node.metadata_props}.get(SCOPES, '[]')
    module = next((name for name in ast.literal_eval(scopes)[-2::-1]), '')
    named = module.startswith((MODEL, 'normalise'))
    return f'{module.removeprefix(MODEL) if named else "graph"}/{node.op_type}'


def _unique(name: str, taken: set[str]) -> str:
    number = 2
    unique = name
    while unique in taken:
        unique, number = f'{name}_{number}', number + 1
    return unique
