"""Who may import whom (docs: the package's parts meet through mmseg's registries)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ['backbones', 'heads', 'losses', 'distill', 'datasets', 'hooks', 'segmentors', 'optim']
SHARED = [
    f'segkd_mm.{name}' for name in ('weights', 'config', 'labels', 'teacher_cache', 'version')
]
ABOVE = ['segkd_mm.doctor', 'segkd_mm.caching', 'segkd_mm.comparing']  # read all the package
TORCH_ONLY = ['segkd_mm.losses.functional', 'segkd_mm.distill.taps']


def imports_of(module: str, source: str, is_package: bool = False) -> Iterator[str]:
    """Full names of all that a module imports, inside functions too.

    ``from a import b`` gives ``a.b``: b may be a module, and a prefix tells as much as a whole.
    """
    package = module.split('.') if is_package else module.split('.')[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            start = [*base, *([node.module] if node.module else [])]
            yield from ('.'.join([*start, alias.name]) for alias in node.names)


def is_within(name: str, *owners: str) -> bool:
    return any(name == owner or name.startswith(owner + '.') for owner in owners)


def may_import(module: str, imported: str) -> bool:
    """The rules of the design."""
    if is_within(imported, 'tools', 'segkd_mm.tools'):
        return False
    for pure in TORCH_ONLY:
        if is_within(module, pure):
            return is_within(imported, 'torch', pure, *sys.stdlib_module_names)
    if is_within(imported, 'segkd_mm.deploy'):
        return is_within(module, 'segkd_mm.deploy')
    if is_within(imported, 'segkd_mm.doctor'):
        return is_within(module, 'segkd_mm.doctor')
    if is_within(imported, 'segkd_mm.report'):
        return is_within(module, 'segkd_mm.report', *ABOVE)
    for part in PARTS:
        if is_within(module, f'segkd_mm.{part}') and is_within(imported, 'segkd_mm'):
            return is_within(imported, f'segkd_mm.{part}', *SHARED)
    if module in SHARED and is_within(imported, 'segkd_mm'):
        return imported in SHARED  # else the parts would meet there
    return True


def modules() -> dict[str, Path]:
    paths = (ROOT / 'segkd_mm').rglob('*.py')
    return {'.'.join(path.relative_to(ROOT).with_suffix('').parts): path for path in paths}


def violations(module: str, source: str) -> list[str]:
    is_package = module.endswith('.__init__')
    module = module.removesuffix('.__init__')
    imported = imports_of(module, source, is_package)
    return [f'{module} imports {name}' for name in imported if not may_import(module, name)]


def test_the_modules_that_the_rules_name_are_there():
    names = {name.removesuffix('.__init__') for name in modules()}
    assert names >= {*SHARED, *TORCH_ONLY, *(f'segkd_mm.{part}' for part in PARTS)}


def test_every_module_keeps_the_rules():
    broken = [v for module, path in modules().items() for v in violations(module, path.read_text())]
    assert broken == []


@pytest.mark.parametrize(
    ('module', 'source'),
    [
        ('segkd_mm.losses.functional', 'import numpy as np'),
        ('segkd_mm.losses.functional', 'from mmseg.registry import MODELS'),
        ('segkd_mm.losses.functional', 'from segkd_mm.weights import read_state_dict'),
        ('segkd_mm.losses.functional.logits', 'import numpy as np'),
        ('segkd_mm.losses.functional.logits', 'from segkd_mm.losses.modules import KDLoss'),
        ('segkd_mm.distill.taps', 'import torchvision'),
        ('segkd_mm.distill.taps', 'def f():\n    from . import term'),
        ('segkd_mm.heads.light_aspp', 'from segkd_mm.losses.functional import pixel_kl'),
        ('segkd_mm.heads.light_aspp', 'from ..losses import functional'),
        ('segkd_mm.heads.light_aspp', 'from segkd_mm import losses'),
        ('segkd_mm.heads.light_aspp', 'from .. import losses'),
        ('segkd_mm.heads.__init__', 'from ..losses import KDLoss'),
        ('segkd_mm.heads.light_aspp', 'import segkd_mm'),
        ('segkd_mm.heads.light_aspp', 'import segkd_mm.backbones as b'),
        ('segkd_mm.distill.distiller', 'if 1:\n    from segkd_mm.losses import PixelKLLoss'),
        ('segkd_mm.datasets.voc', 'from segkd_mm.report.tables import console_table'),
        ('segkd_mm.weights', 'from segkd_mm.backbones import TapBackbone'),
        ('segkd_mm.__main__', 'from segkd_mm.report import speed'),
        ('segkd_mm.deploy.onnx', 'from segkd_mm import report'),
        ('segkd_mm.report.speed', 'from tools import train'),
        ('segkd_mm.config', 'import segkd_mm.tools.train'),
        ('segkd_mm.report.speed', 'from segkd_mm.doctor import Finding'),
        ('segkd_mm.report.speed', 'from segkd_mm.deploy import upsampled_labels'),
        ('segkd_mm.__init__', 'from segkd_mm import deploy'),
        ('segkd_mm.deploy.labels', 'from segkd_mm.doctor import Finding'),
    ],
)
def test_a_broken_rule_is_seen(module, source):
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ('module', 'source'),
    [
        ('segkd_mm.losses.functional', 'import math\nimport torch.nn.functional as F'),
        ('segkd_mm.losses.functional', 'from segkd_mm.losses.functional.logits import pixel_kl'),
        ('segkd_mm.losses.modules', 'from segkd_mm.losses import functional'),
        ('segkd_mm.losses.modules', 'from . import functional'),
        ('segkd_mm.losses.__init__', 'from .modules import KDLoss'),
        ('segkd_mm.backbones.timm_taps', 'from segkd_mm.weights import WeightsError'),
        ('segkd_mm.heads.light_aspp', 'from segkd_mm import version'),
        ('segkd_mm.report.speed', 'from segkd_mm.distill import SegDistiller'),
        ('segkd_mm.report.html', 'from segkd_mm.report import tables'),
        ('segkd_mm.doctor.cost', 'from segkd_mm.report.speed import MIB'),
        ('segkd_mm.deploy.onnx', 'from segkd_mm.heads import LightASPPHead'),
        ('segkd_mm.deploy.prediction', 'from segkd_mm.deploy.labels import upsampled_labels'),
        ('segkd_mm.__init__', 'from segkd_mm import backbones, losses'),
        ('segkd_mm.losses.modules', 'import toolsmith, segkd_mm_other'),
    ],
)
def test_what_the_rules_allow_is_let_pass(module, source):
    assert violations(module, source) == []


EXTRAS = ['transformers', 'segmentation_models_pytorch', 'onnx', 'onnxruntime', 'openvino', 'nncf']


@pytest.mark.parametrize('library', EXTRAS)
def test_a_library_of_an_extra_is_imported_by_no_module_as_it_is_imported(library):
    imported = {
        (module, name)
        for module, path in modules().items()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in imports_of(module, ast.unparse(node))
    }
    assert ('segkd_mm.weights', 'torch') in imported
    assert [found for found in imported if is_within(found[1], library)] == []
