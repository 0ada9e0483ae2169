"""The scope ``segkd_mm`` of mmengine: configs of other projects may name ours as their bases.

mmengine finds ``_base_ = 'segkd_mm::student/mnv3s_slim_voc.py'`` in ``.mim/configs`` of the package
and builds what that file defines in the scope ``segkd_mm``. Every component is registered in
mmseg's registries, so those of this scope are empty children of them.
"""

from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry
from mmseg import registry as parents

# Packages that mmengine takes configs from, by the name before the `::`.
MODULE2PACKAGE['segkd_mm'] = 'segkd_mm'

# A registry imports its own components when it is first used, but not its parent's.
COMPONENTS = [
    'segkd_mm',
    *(f'mmseg.{room}' for room in ('datasets', 'engine', 'evaluation', 'models', 'visualization')),
]
for parent in (getattr(parents, name) for name in parents.__all__):
    Registry(parent.name, parent=parent, scope='segkd_mm', locations=COMPONENTS)
