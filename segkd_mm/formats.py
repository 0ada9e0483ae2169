"""What models are exported to: formats, endings of files, precisions, and bounds of the error."""

import os
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = {
    'onnx': '.onnx',
    'openvino': '.xml',
    'torch-export': '.pt2',
    'ncnn': '.ncnn.param',
    'litert': '.tflite',
    'executorch': '.pte',
    'coreml': '.mlpackage',
}
TORCH = 'torch'  # PyTorch itself, beside the formats
NOT_RUN = ('coreml',)  # formats that are written here and run elsewhere
RUNTIMES = (TORCH, *(to for to in SUFFIXES if to not in NOT_RUN))
ONE_SIZE = 'litert', 'executorch', 'coreml'  # formats for images of one size
ANY_SIZE = ('ncnn',)  # formats for images of any size alone
FLOATS_ONLY = 'ncnn', *ONE_SIZE  # from normalised images to logits alone
PRECISIONS = {
    'onnx': ('fp32', 'fp16', 'int8'),
    'openvino': ('fp32', 'bf16', 'int8'),
    'torch-export': ('fp32', 'bf16'),
    'ncnn': ('fp32', 'fp16'),
    'litert': ('fp32',),
    'executorch': ('fp32',),
    'coreml': ('fp32', 'fp16'),
}
"""Precisions of each format: ONNX Runtime has no fast bf16 on CPUs, torch.export no int8."""


@dataclass(frozen=True)
class Bounds:
    """Largest allowed differences of an exported model from PyTorch; None is not checked.

    Attributes:
        labels: Share of the pixels whose labels differ.
        logits: Largest difference of a logit, relative to the largest logit.
        drop: Loss of mIoU in percentage points.
    """

    labels: float | None = None
    logits: float | None = None
    drop: float | None = None

    def __str__(self) -> str:
        parts = []
        if self.labels is not None:
            parts.append(f'at most {100 * self.labels:g} % of the labels differ')
        if self.logits is not None:
            parts.append(f'no logit by more than {self.logits:g} of the largest')
        if self.drop is not None:
            parts.append(f'mIoU at most {self.drop:g} points lower')
        return ', '.join(parts)


BOUNDS = {
    'fp32': Bounds(labels=1e-4, logits=1e-3),
    'fp16': Bounds(labels=2e-3),
    'bf16': Bounds(labels=5e-3),
    'int8': Bounds(drop=1.0),
}
INT8_WITHOUT_MASKS = Bounds(labels=0.05)


def is_exported_model(path: str | os.PathLike) -> bool:
    """Whether a file name has the ending of an exported model."""
    return os.fspath(path).endswith(tuple(SUFFIXES.values()))


def endings() -> str:
    """Endings of the exported models that run here, for messages."""
    return ', '.join(ending for to, ending in SUFFIXES.items() if to not in NOT_RUN)


def files_of(path: str | os.PathLike) -> list[Path]:
    """The files of a model, by its name: .xml and .param have weights in a .bin beside.

    An .mlpackage is a folder.
    """
    path = Path(path)
    if path.is_dir():
        return sorted(file for file in path.rglob('*') if file.is_file())
    return [path, path.with_suffix('.bin')] if path.suffix in ('.xml', '.param') else [path]
