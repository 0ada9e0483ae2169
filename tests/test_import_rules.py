"""Who may import whom (docs: the package's parts meet through mmseg's registries)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMPONENTS = ['backbones', 'heads', 'losses', 'distill', 'datasets', 'hooks', 'segmentors', 'optim']
SHARED = [
    f'segkd_mm.{name}'
    for name in (
        'build_hints', 'commands', 'config', 'config_source', 'config_values',
        'evenly_spaced', 'files', 'formats', 'gradient_ratios', 'json_files',
        'head_hints', 'hints', 'image_files', 'labels', 'libraries', 'library_hints',
        'mmseg_datasets', 'normalisation', 'one_logit', 'ports', 'schedule', 'version', 'weights',
    )
]  # fmt: skip
# What each room of the tools may read beside the components and the shared modules.
TOOLS = {
    'evaluation': [],
    'whole_image': ['evaluation'],
    'measure': ['whole_image', 'deploy'],
    'deploy': ['evaluation', 'whole_image'],
    'results': ['evaluation', 'whole_image', 'measure'],
    'visualize': ['evaluation', 'results'],
    'doctor': ['evaluation', 'whole_image', 'measure'],
    'scaffold': ['measure', 'deploy'],
    'convert': ['visualize'],
    'serve': ['deploy', 'visualize'],
}
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
    if not is_within(imported, 'segkd_mm') or module == 'segkd_mm':
        return True
    return is_within(imported, *allowed(module))


def allowed(module: str) -> list[str]:
    """What of the package a module may import."""
    room = module.split('.')[1]
    if room in COMPONENTS:
        return [f'segkd_mm.{room}', *SHARED]
    if room in TOOLS:
        return [*(f'segkd_mm.{name}' for name in (room, *COMPONENTS, *TOOLS[room])), *SHARED]
    if f'segkd_mm.{room}' in SHARED:
        return SHARED  # else the rooms would meet there
    if room == '__main__':  # the command line of the package
        return ['segkd_mm.cli', *SHARED]
    return [*(f'segkd_mm.{name}' for name in (room, *COMPONENTS, *TOOLS)), *SHARED]


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
    rooms = [f'segkd_mm.{name}' for name in (*COMPONENTS, *TOOLS)]
    assert names >= {*SHARED, *TORCH_ONLY, *rooms}


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
        ('segkd_mm.datasets.voc', 'from segkd_mm.results.tables import console_table'),
        ('segkd_mm.distill.term', 'from segkd_mm.whole_image import View'),
        ('segkd_mm.weights.reading', 'from segkd_mm.backbones import TapBackbone'),
        ('segkd_mm.hints', 'from segkd_mm.distill import Taps'),
        ('segkd_mm.measure.latency', 'from tools import train'),
        ('segkd_mm.config', 'import segkd_mm.tools.train'),
        ('segkd_mm.measure.latency', 'from segkd_mm.doctor import Finding'),
        ('segkd_mm.evaluation.scores', 'from segkd_mm.deploy import Runtime'),
        ('segkd_mm.whole_image.view', 'from segkd_mm.measure import latency'),
        ('segkd_mm.results.tables', 'from segkd_mm.visualize import overlays'),
        ('segkd_mm.deploy.label_map', 'from segkd_mm.doctor import Finding'),
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
        ('segkd_mm.whole_image.live_teacher', 'from segkd_mm.distill.frozen import FrozenModule'),
        ('segkd_mm.results.html', 'from segkd_mm.results import tables'),
        ('segkd_mm.doctor.cost', 'from segkd_mm.measure.step_cost import TrainingStep'),
        ('segkd_mm.deploy.onnx', 'from segkd_mm.heads import LightASPPHead'),
        ('segkd_mm.deploy.prediction', 'from segkd_mm.deploy.label_map import upsampled_label_map'),
        ('segkd_mm.cli.train', 'from segkd_mm.visualize.curves import draw_curves'),
        ('segkd_mm.__init__', 'from segkd_mm import backbones, losses'),
        ('segkd_mm.losses.modules', 'import toolsmith, segkd_mm_other'),
    ],
)
def test_what_the_rules_allow_is_let_pass(module, source):
    assert violations(module, source) == []


EXTRAS = [
    'transformers', 'segmentation_models_pytorch', 'onnx', 'onnxruntime', 'openvino', 'nncf',
    'rasterio', 'fastapi', 'starlette', 'uvicorn', 'prometheus_client',
]  # fmt: skip


@pytest.mark.parametrize('library', EXTRAS)
def test_a_library_of_an_extra_is_imported_by_no_module_as_it_is_imported(library):
    imported = {
        (module, name)
        for module, path in modules().items()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in imports_of(module, ast.unparse(node))
    }
    assert ('segkd_mm.weights.reading', 'torch') in imported
    assert [found for found in imported if is_within(found[1], library)] == []
