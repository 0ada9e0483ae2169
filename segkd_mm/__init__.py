"""Light semantic-segmentation students that learn from strong teachers, inside the mm ecosystem.

Importing the package registers every component in mmseg's registries; another mmseg project needs
one line: ``custom_imports = dict(imports=['segkd_mm'])``.
"""

import warnings

# mmcv without compiled operators says at import that one of them is missing, which nothing here
# needs, and advises a package that does not fit.
warnings.filterwarnings('ignore', 'Fail to import ``MultiScaleDeformableAttention``')

from segkd_mm import (
    backbones,
    datasets,
    deploy,
    distill,
    evaluation,
    heads,
    hooks,
    losses,
    optim,
    registry,
    segmentors,
    visualize,
    whole_image,
)
from segkd_mm.deploy.predictor import load
from segkd_mm.version import __version__

__all__ = [
    '__version__',
    'backbones',
    'datasets',
    'deploy',
    'distill',
    'evaluation',
    'heads',
    'hooks',
    'load',
    'losses',
    'optim',
    'registry',
    'segmentors',
    'visualize',
    'whole_image',
]
