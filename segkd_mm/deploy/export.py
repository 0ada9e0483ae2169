"""Export of a model graph to the formats of runtimes, with metadata in the file."""

import json
import logging
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from segkd_mm.commands import command
from segkd_mm.deploy.coreml_model import COREML, save_coreml
from segkd_mm.deploy.executorch_files import EXECUTORCH
from segkd_mm.deploy.executorch_model import save_executorch
from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.image_steps import image_loader, image_resize
from segkd_mm.deploy.layers import name_nodes
from segkd_mm.deploy.litert_model import LITERT, to_litert
from segkd_mm.deploy.loading import class_names
from segkd_mm.deploy.ncnn_model import NCNNModel, to_ncnn
from segkd_mm.deploy.runtime import EXTRA, MEMBER, METADATA, openvino_core
from segkd_mm.libraries import import_library
from segkd_mm.normalisation import CHANNELS

LIBRARIES = {
    'onnx': ('onnx', 'onnxscript', 'onnxruntime'),
    'openvino': ('onnx', 'onnxscript', 'openvino'),
    'torch-export': (),
    'ncnn': ('ncnn', 'pnnx'),
    'litert': ('litert_torch', 'ai_edge_litert'),
    'executorch': ('executorch',),
    'coreml': ('coremltools',),
}
OWN_EXTRAS = LITERT, EXECUTORCH, COREML  # their names are those of the formats
INT8_LIBRARIES = 'onnxruntime', 'nncf'
# Images, and their height and width: small and different; the graph holds for any.
EXAMPLES, EXAMPLE_SIZE = 2, (64, 96)


def export_libraries(to: str, precision: str) -> tuple[ModuleType, ...]:
    """Import the libraries that an export to a format and precision needs.

    Raises:
        ImportError: One is not installed; the message says how to install it.
    """
    names = dict.fromkeys((*LIBRARIES[to], *(INT8_LIBRARIES if precision == 'int8' else ())))
    extra = to if to in OWN_EXTRAS else EXTRA
    return tuple(import_library(name, extra) for name in names)


def to_format(graph: DeployedGraph, to: str, precision: str = 'fp32') -> Any:
    """Convert a graph to a format of ``SUFFIXES``: the object that its saver of ``SAVERS`` writes.

    With 'int8' it is still in float, for :func:`segkd_mm.deploy.quantise.quantise`.
    """
    if to == 'litert':
        return to_litert(graph)
    if to == 'ncnn':
        return to_ncnn(graph, half=precision == 'fp16')
    program = to_program(graph, graph.input_dtype, graph.channels, graph.size)
    if to not in ('onnx', 'openvino'):
        return program
    model = to_onnx(program, graph.labels_out)
    return to_half(model) if precision == 'fp16' else model


def export_metadata(graph: DeployedGraph, config: Config, to: str, precision: str) -> dict:
    """Metadata of an exported file (see ``Runtime.metadata``)."""
    names = class_names(config)
    libraries = {one.__name__: _version(one) for one in export_libraries(to, precision)}
    return {
        **graph.describe(),
        'loader': image_loader(config),
        'resize': image_resize(config),
        'classes': list(names['classes']),
        'palette': np.asarray(names['palette']).tolist(),
        'precision': precision,
        'versions': {'torch': torch.__version__, **libraries},
    }


def to_program(
    graph: nn.Module,
    dtype: torch.dtype = torch.float32,
    channels: int = CHANNELS,
    size: Sequence[int] | None = None,
) -> torch.export.ExportedProgram:
    """Trace a graph with torch.export, for any batch size and image size, or for one image.

    Args:
        graph: From images [N, channels, H, W] of ``dtype`` to an output.
        dtype: Of the images.
        channels: Of the images.
        size: Height and width of the one image.

    Raises:
        RuntimeError: The graph has an operation that depends on the size.
    """
    images = torch.zeros(1 if size else EXAMPLES, channels, *(size or EXAMPLE_SIZE), dtype=dtype)
    sizes = None if size else {'images': dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)}
    with torch.no_grad(), _quiet():
        # In strict mode, older torch's default, batch norms cannot change modes.
        return torch.export.export(graph, (images,), dynamic_shapes=sizes, strict=False)


def to_onnx(program: torch.export.ExportedProgram, labels_out: bool = False) -> Any:
    """Convert a program to an ``onnx.ModelProto`` whose nodes are named after their modules.

    Raises:
        RuntimeError: The installed torch cannot convert the program to ONNX.
    """
    output = 'labels' if labels_out else 'logits'
    try:
        with _quiet():
            exported = torch.onnx.export(
                program, input_names=['images'], output_names=[output], dynamo=True, verbose=False
            )
    except torch.onnx.OnnxExporterError as error:
        raise RuntimeError(
            f'torch {torch.__version__} cannot write this model as ONNX, which OpenVINO needs too. '
            'For the models of this project torch 2.15 can, 2.6 cannot: install a newer torch, or '
            f'use `{command("export")} --to torch-export`.'
        ) from error
    return name_nodes(exported.model_proto)


def to_half(model: Any) -> Any:
    """An ``onnx.ModelProto`` that computes in fp16; its input and output stay as they are."""
    float16 = import_library('onnxruntime.transformers.float16', EXTRA)
    with _quiet():
        return float16.convert_float_to_float16(model, keep_io_types=True)


def save_program(program: torch.export.ExportedProgram, path: Path, metadata: dict) -> None:
    """Write a torch.export program as a .pt2 file."""
    torch.export.save(program, path, extra_files={METADATA: json.dumps(metadata)})


def save_onnx(model: Any, path: Path, metadata: dict) -> None:
    """Write an ``onnx.ModelProto`` as an .onnx file."""
    onnx = import_library('onnx', EXTRA)
    onnx.helper.set_model_props(model, {METADATA: json.dumps(metadata)})
    onnx.save(model, path)


def save_openvino(model: Any, path: Path, metadata: dict) -> None:
    """Write an ``onnx.ModelProto`` as an OpenVINO .xml file with its .bin file."""
    openvino = import_library('openvino', EXTRA)
    with TemporaryDirectory() as folder:
        source = Path(folder, 'model.onnx')
        import_library('onnx', EXTRA).save(model, source)
        # openvino.convert_model would send telemetry, in a process that it forks.
        converted = openvino_core().read_model(source)
    converted.set_rt_info(json.dumps(metadata), METADATA)
    # By default OpenVINO would compress the weights to fp16.
    openvino.save_model(converted, path, compress_to_fp16=False)


def save_ncnn(model: NCNNModel, path: Path, metadata: dict) -> None:
    """Write a model of ncnn as a .ncnn.param file with its .ncnn.bin file.

    ncnn reads as many lines as there are layers: the metadata is one line more.
    """
    path.with_suffix('.bin').write_bytes(model.weights)
    path.write_text(
        f'{model.param.rstrip()}\n{METADATA} {json.dumps(metadata)}\n', encoding='utf-8'
    )


def save_litert(content: bytes, path: Path, metadata: dict) -> None:
    """Write a .tflite file; its metadata is in a zip archive at its end, as TensorFlow's own is."""
    path.write_bytes(content)
    with zipfile.ZipFile(path, 'a') as file:
        file.writestr(MEMBER, json.dumps(metadata))


SAVERS: dict[str, Callable[[Any, Path, dict], None]] = {
    'onnx': save_onnx,
    'openvino': save_openvino,
    'torch-export': save_program,
    'ncnn': save_ncnn,
    'litert': save_litert,
    'executorch': save_executorch,
    'coreml': save_coreml,
}


@contextmanager
def written_if_valid(path: Path) -> Iterator[Path]:
    """Yield a path in a temporary folder; its files are moved beside ``path`` at the end.

    After an error in the block nothing is moved, and files of an earlier export stay.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f'.{path.name}.', dir=path.parent) as folder:
        yield Path(folder, path.name)
        for file in sorted(Path(folder).iterdir()):  # the .bin before its .xml
            target = path.parent / file.name
            if (target / 'Manifest.json').is_file():  # an .mlpackage, which goes with the folder
                target.rename(Path(folder, f'{file.name}.old'))
            file.replace(target)


def _version(library: ModuleType) -> str:
    """Of a library; the module of ExecuTorch does not have it."""
    return getattr(library, '__version__', None) or version(library.__name__)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the log messages and warnings of the exporters."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        previous_level = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(previous_level)
