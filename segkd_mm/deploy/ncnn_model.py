"""Export of a model graph to ncnn's two files: TorchScript, then Tencent's converter pnnx."""

import re
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from segkd_mm.commands import command
from segkd_mm.deploy.graph import DeployedGraph, without_expand
from segkd_mm.deploy.runtime import EXTRA
from segkd_mm.libraries import import_library

# pnnx finds by two sizes which numbers of the graph depend on the size.
SIZES = (64, 96), (96, 128)
# Layers of pnnx's own, and operations of PyTorch, for which ncnn has no layer.
UNKNOWN = re.compile(r'^((?:pnnx|aten|prim|torch|nn|F|Tensor)[.:]\S+) ', re.MULTILINE)


@dataclass(frozen=True)
class NCNNModel:
    """A model of ncnn in memory.

    Attributes:
        param: Text of the ``.param`` file: the layers.
        weights: Content of the ``.bin`` file.
    """

    param: str
    weights: bytes


def to_ncnn(graph: DeployedGraph, half: bool = False) -> NCNNModel:
    """Convert a graph from normalised images to logits, for images of any size, one at a time.

    Source of the converter: https://github.com/pnnx/pnnx.

    Args:
        graph: Without ``image_in`` and ``labels_out``; it stays as it is.
        half: Store the weights in fp16.

    Raises:
        ImportError: pnnx is not installed.
        RuntimeError: ncnn has no layer for an operation of the model.
    """
    pnnx = import_library('pnnx', EXTRA)
    with TemporaryDirectory() as folder:
        _trace(graph, Path(folder, 'model.pt'))
        shapes = [f'[1,{graph.channels},{height},{width}]' for height, width in SIZES]
        options = f'inputshape={shapes[0]}', f'inputshape2={shapes[1]}', f'fp16={int(half)}'
        done = subprocess.run(
            [pnnx.EXEC_PATH, 'model.pt', *options], cwd=folder, capture_output=True, text=True
        )
        files = [Path(folder, f'model.ncnn.{part}') for part in ('param', 'bin')]
        if done.returncode or not all(file.is_file() for file in files):
            raise RuntimeError(f'pnnx cannot convert this model: {done.stderr[-500:].strip()}')
        param, weights = files[0].read_text(), files[1].read_bytes()
    if unknown := sorted({*UNKNOWN.findall(param)}):
        raise RuntimeError(
            f'ncnn has no layer for {", ".join(unknown)} of this model: export it to another '
            f'format (`{command("export")} --to onnx`), or take a student whose trunk is a CNN.'
        )
    return NCNNModel(param, weights)


def _trace(graph: DeployedGraph, file: Path) -> None:
    image = torch.zeros(1, graph.channels, *SIZES[0])
    with torch.no_grad(), warnings.catch_warnings():
        # That a trace holds for one size, which pnnx's second size mends.
        warnings.simplefilter('ignore')
        torch.jit.trace(without_expand(graph), image, check_trace=False).save(file)
