"""A graph to a file of ONNX, OpenVINO or torch.export, with its metadata inside."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.layers import name_nodes
from segkd_mm.deploy.loading import class_names
from segkd_mm.deploy.runtime import EXTRA, METADATA, openvino_core
from segkd_mm.segmentors.libraries import library

SUFFIXES = {'onnx': '.onnx', 'openvino': '.xml', 'torch-export': '.pt2'}
PRECISIONS = {
    'onnx': ('fp32', 'int8'),
    'openvino': ('fp32', 'bf16', 'int8'),
    'torch-export': ('fp32', 'bf16'),
}
"""What goes together; ONNX Runtime has no fast bf16 on CPUs, torch.export no int8."""

LIBRARIES = {
    'onnx': ('onnx', 'onnxscript', 'onnxruntime'),
    'openvino': ('onnx', 'onnxscript', 'openvino'),
    'torch-export': (),
}
INT8_LIBRARIES = 'onnxruntime', 'nncf'
# The graph holds at any size: this one is small, and its sides differ.
TRACED = 2, 3, 64, 96


def needed(to: str, precision: str) -> tuple[ModuleType, ...]:
    """Import what an export needs.

    Raises:
        ImportError: Some of it is not installed; the message says how to install it.
    """
    names = dict.fromkeys((*LIBRARIES[to], *(INT8_LIBRARIES if precision == 'int8' else ())))
    return tuple(library(name, EXTRA) for name in names)


def to_format(graph: DeployedGraph, to: str) -> Any:
    """The graph in a format of ``SUFFIXES``, in float: a program, or an ``onnx.ModelProto``."""
    program = to_program(graph, graph.image_in)
    return program if to == 'torch-export' else to_onnx(program, graph.labels_out)


def metadata_of(graph: DeployedGraph, config: Config, to: str, precision: str) -> dict:
    """The metadata of an exported file: see ``Runtime.metadata``."""
    names = class_names(config)
    libraries = {module.__name__: module.__version__ for module in needed(to, precision)}
    return {
        **graph.describe(),
        'classes': list(names['classes']),
        'palette': np.asarray(names['palette']).tolist(),
        'precision': precision,
        'versions': {'torch': torch.__version__, **libraries},
    }


def to_program(graph: nn.Module, image_in: bool = False) -> torch.export.ExportedProgram:
    """The graph of torch.export, for any batch and any size of the images.

    Raises:
        RuntimeError: Something in the graph holds at one size only.
    """
    images = _example(image_in)
    any_size = {'images': dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)}
    with torch.no_grad(), _quiet():
        # Not strict is the default of newer torch alone; strict, batch norms cannot change modes.
        return torch.export.export(graph, (images,), dynamic_shapes=any_size, strict=False)


def to_onnx(program: torch.export.ExportedProgram, labels_out: bool = False) -> Any:
    """The ``onnx.ModelProto`` of a program; its nodes are named by the modules they come from.

    Raises:
        RuntimeError: This torch cannot write the program as ONNX.
    """
    output = 'labels' if labels_out else 'logits'
    try:
        with _quiet():
            exported = torch.onnx.export(
                program, input_names=['images'], output_names=[output], dynamo=True, verbose=False
            )
    except torch.onnx.OnnxExporterError as error:
        raise RuntimeError(
            f'torch {torch.__version__} cannot write this model as ONNX, from which OpenVINO is '
            'made, too. For models of ours torch 2.15 can, 2.6 cannot: take a newer torch, or '
            'tools/export.py --to torch-export.'
        ) from error
    return name_nodes(exported.model_proto)


def save_program(program: torch.export.ExportedProgram, path: Path, metadata: dict) -> None:
    """Write a .pt2 file."""
    torch.export.save(program, path, extra_files={METADATA: json.dumps(metadata)})


def save_onnx(model: Any, path: Path, metadata: dict) -> None:
    """Write an .onnx file."""
    onnx = library('onnx', EXTRA)
    onnx.helper.set_model_props(model, {METADATA: json.dumps(metadata)})
    onnx.save(model, path)


def save_openvino(model: Any, path: Path, metadata: dict) -> None:
    """Write an .xml file, its .bin beside it, of an ``onnx.ModelProto``."""
    openvino = library('openvino', EXTRA)
    with TemporaryDirectory() as folder:
        source = Path(folder, 'model.onnx')
        library('onnx', EXTRA).save(model, source)
        # openvino.convert_model would report to its makers, by a process that it forks.
        converted = openvino_core().read_model(source)
    converted.set_rt_info(json.dumps(metadata), METADATA)
    # The weights stay as they are; OpenVINO would store halves.
    openvino.save_model(converted, path, compress_to_fp16=False)


SAVERS: dict[str, Callable[[Any, Path, dict], None]] = {
    'onnx': save_onnx,
    'openvino': save_openvino,
    'torch-export': save_program,
}


@contextmanager
def kept_if_good(path: Path) -> Iterator[Path]:
    """Give a file to write to, in a folder of its own; it goes to ``path`` when all went well.

    What lies beside it goes beside ``path``. After an error all is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f'.{path.name}.', dir=path.parent) as folder:
        yield Path(folder, path.name)
        for file in sorted(Path(folder).iterdir()):  # .bin before .xml
            file.replace(path.parent / file.name)


def _example(image_in: bool) -> Tensor:
    return torch.zeros(TRACED, dtype=torch.uint8 if image_in else torch.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporters write notes for their developers."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)
