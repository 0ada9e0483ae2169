"""Reading of torch.export files (.pt2) without running code.

torch itself reads the weights and the example inputs in such a file as pickles that run code, and
the sizes in its graph by an evaluation of Python.
"""

import json
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram

from segkd_mm.weights import WeightsError

SIZE = 'expr_str'  # key of the text that is evaluated
# What a size is made of: functions of torch and sympy, and names such as s14.
NAMES = {
    'Add', 'And', 'CeilDiv', 'CeilToInt', 'CleanDiv', 'Eq', 'Equality', 'FloorDiv', 'FloorToInt',
    'Ge', 'GreaterThan', 'Gt', 'IntTrueDiv', 'Integer', 'Le', 'LessThan', 'Lt', 'Max', 'Min', 'Mod',
    'ModularIndexing', 'Mul', 'Ne', 'Not', 'Or', 'Piecewise', 'Pow', 'PythonMod', 'Rational',
    'StrictGreaterThan', 'StrictLessThan', 'Symbol', 'True', 'False', 'Unequality', 'Where',
    'Abs', 'BitwiseFn_bitwise_and', 'BitwiseFn_bitwise_or', 'Float', 'FloatPow', 'FloatTrueDiv',
    'PowByNatural', 'RoundDecimal', 'RoundToInt', 'ToFloat', 'TruncToFloat', 'TruncToInt',
    'int_oo', 'oo', 'integer', 'nonnegative', 'positive', 'nonzero', 'precision', 'real', 'finite',
}  # fmt: skip
SYMBOL = re.compile('[a-z]+[0-9]+')
# A point only within a number: no attributes.
CHARACTERS = re.compile(r"(?:[\w\s'+\-*/%(),=<>!]|(?<=\d)\.(?=\d))*")
MARKS = 'archive_format', 'serialized_exported_program.json'  # members, of old files the second
FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'


def load_program(path: Path, extra: dict[str, str]) -> ExportedProgram:
    """Read the program in a .pt2 file.

    Args:
        path: The file.
        extra: Names of texts in it, which are set to what they hold.

    Raises:
        WeightsError: It holds more than tensors and a graph.
        zipfile.BadZipFile: It is no such file.
    """
    _check_sizes(path)
    with _weights_only():
        return torch.export.load(path, extra_files=extra)


@contextmanager
def _weights_only() -> Iterator[None]:
    """Context in which ``torch.load`` reads tensors alone, whatever its caller asks for."""
    before = os.environ.get(FORCE)
    os.environ[FORCE] = '1'
    try:
        yield
    finally:
        os.environ.pop(FORCE)
        if before is not None:
            os.environ[FORCE] = before


def _check_sizes(path: Path) -> None:
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        if not any(Path(name).name in MARKS for name in names):
            raise zipfile.BadZipFile(f'none of {MARKS} in it')
        for name in names:
            if name.endswith('.json'):
                for text in _sizes_in(json.loads(file.read(name))):
                    _check_size(path, text)


def _check_size(path: Path, text: object) -> None:
    """Check that a size is a formula of known functions and numbers."""
    is_formula = isinstance(text, str) and CHARACTERS.fullmatch(text)
    names = re.findall(r'[^\W\d]\w*', text) if is_formula else ['']
    odd = [name for name in names if name not in NAMES and not SYMBOL.fullmatch(name)]
    if odd:
        raise WeightsError(
            f'{path} holds the size {text!r:.120}, which could run code; expected a formula of '
            'sizes. Export the model again, from a checkpoint that you trust.'
        )


def _sizes_in(node: Any) -> Iterator[object]:
    if isinstance(node, dict):
        yield from ([node[SIZE]] if SIZE in node else [])
    children = node.values() if isinstance(node, dict) else node
    for child in children if isinstance(node, dict | list) else ():
        yield from _sizes_in(child)
