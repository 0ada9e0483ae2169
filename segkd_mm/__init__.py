"""Light semantic-segmentation students that learn from strong teachers, inside the mm ecosystem.

Importing the package registers every component in mmseg's registries; another mmseg project needs
one line: ``custom_imports = dict(imports=['segkd_mm'])``.
"""

from segkd_mm import backbones, datasets, distill, heads, hooks, losses
from segkd_mm.version import __version__

__all__ = ['__version__', 'backbones', 'datasets', 'distill', 'heads', 'hooks', 'losses']
