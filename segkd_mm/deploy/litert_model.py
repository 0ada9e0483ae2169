"""Export of a model graph to LiteRT (TensorFlow Lite), for images of one size."""

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from segkd_mm.deploy.graph import DeployedGraph, without_expand
from segkd_mm.libraries import import_library

LITERT = 'litert'  # of pip install 'segkd_mm[...]'


def to_litert(graph: DeployedGraph) -> bytes:
    """Convert a graph from normalised images [1, C, *graph.size] to logits: a .tflite file.

    Source of the converter: https://github.com/google-ai-edge/litert-torch.

    Raises:
        ImportError: litert-torch is not installed.
    """
    litert_torch = import_library('litert_torch', LITERT)
    image = torch.zeros(1, graph.channels, *graph.size)
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()), TemporaryDirectory() as folder:
        file = Path(folder, 'model.tflite')
        litert_torch.convert(without_expand(graph), (image,)).export(str(file))
        return file.read_bytes()
