"""Export of a torch.export program to ExecuTorch with XNNPACK, for images of one size."""

import json
from pathlib import Path

import torch

from segkd_mm.deploy.executorch_files import EXECUTORCH
from segkd_mm.deploy.runtime import METADATA
from segkd_mm.libraries import import_library

PARTITIONER = 'executorch.backends.xnnpack.partition.xnnpack_partitioner'


def save_executorch(program: torch.export.ExportedProgram, path: Path, metadata: dict) -> None:
    """Convert a program of one size and write it as a .pte file.

    Its metadata is what its method ``METADATA`` returns.
    Source of the converter: https://github.com/pytorch/executorch.

    Raises:
        ImportError: executorch is not installed.
    """
    exir = import_library('executorch.exir', EXECUTORCH)
    partitioner = import_library(PARTITIONER, EXECUTORCH).XnnpackPartitioner()
    lowered = exir.to_edge_transform_and_lower(
        program, partitioner=[partitioner], constant_methods={METADATA: json.dumps(metadata)}
    )
    lowered.to_executorch().save(str(path))
