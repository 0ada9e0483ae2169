"""Light semantic-segmentation students that learn from strong teachers, inside the mm ecosystem.

Importing the package makes every component known to mmseg's registries; another mmseg project needs
one line: ``custom_imports = dict(imports=['segkd_mm'])``. The components themselves, and with them
torch, are imported when a registry is first asked for a type (see ``segkd_mm.registry``), and a
part of the package when it is first used: ``segkd --help`` needs neither.
"""

import warnings
from importlib import import_module
from typing import Any

# mmcv without compiled operators says at import that one of them is missing, which nothing here
# needs, and advises a package that does not fit.
warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeformableAttention``')

from segkd_mm import registry
from segkd_mm.version import __version__

PARTS = (
    'backbones', 'datasets', 'deploy', 'distill', 'evaluation', 'heads', 'hooks', 'losses', 'optim',
    'segmentors', 'visualize', 'whole_image',
)  # fmt: skip

__all__ = ['__version__', 'load', 'registry', *PARTS]


def __getattr__(name: str) -> Any:
    """Import a part of the package when it is first used (PEP 562)."""
    if name in PARTS:
        return import_module(f'{__name__}.{name}')
    if name == 'load':
        return import_module(f'{__name__}.deploy.predictor').load
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
