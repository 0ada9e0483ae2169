"""Export of a torch.export program to Core ML, for images of one size; Apple devices run it."""

import json
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.runtime import METADATA
from segkd_mm.libraries import import_library

COREML = 'coreml'  # of pip install 'segkd_mm[...]'
FLOAT32 = 65568  # code of the data type in a file


def save_coreml(program: torch.export.ExportedProgram, path: Path, metadata: dict) -> None:
    """Convert a program of one size and write it as an .mlpackage folder.

    Source of the converter: https://github.com/apple/coremltools.

    Raises:
        ImportError: coremltools is not installed.
    """
    coremltools = import_library('coremltools', COREML)
    half = metadata['precision'] == 'fp16'
    with redirect_stderr(StringIO()):  # bars of progress
        model = coremltools.convert(
            program.run_decompositions({}),
            outputs=[coremltools.TensorType(name='logits')],
            compute_precision=getattr(coremltools.precision, 'FLOAT16' if half else 'FLOAT32'),
            minimum_deployment_target=coremltools.target.iOS15,
            skip_model_load=True,
        )
    model.user_defined_metadata[METADATA] = json.dumps(metadata)
    model.save(str(path))


def check_coreml(path: Path, graph: DeployedGraph, metadata: dict) -> None:
    """Check what an .mlpackage folder says of itself, as it does not run here.

    Args:
        path: The folder.
        graph: What was exported.
        metadata: What the folder should hold.

    Raises:
        RuntimeError: Its input, its output or its metadata are others than those of the graph.
    """
    coremltools = import_library('coremltools', COREML)
    about = coremltools.models.MLModel(str(path), skip_model_load=True).get_spec().description
    images = torch.zeros(1, graph.channels, *graph.size)
    with torch.no_grad():
        logits = graph(images)
    found = _arrays(about.input), _arrays(about.output), about.metadata.userDefined[METADATA]
    expected = (
        {'images': (list(images.shape), FLOAT32)},
        {'logits': (list(logits.shape), FLOAT32)},
        json.dumps(metadata),
    )
    if found != expected:
        raise RuntimeError(f'{path.name}: found {found}, expected {expected}.')


def _arrays(features: Any) -> dict[str, tuple[list[int], int]]:
    """Shape and data type of inputs or outputs, by name."""
    arrays = {feature.name: feature.type.multiArrayType for feature in features}
    return {name: (list(array.shape), array.dataType) for name, array in arrays.items()}
