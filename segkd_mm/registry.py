"""How mmengine finds the components: in mmseg's registries, and in the scope ``segkd_mm``.

A registry of mmengine imports its components when it is first asked for a type. Ours are added to
what mmseg's registries import, so that ``import segkd_mm`` alone costs no import of torch: that
took 6 s of CPU, and every ``--help`` with it.

The scope is for configs of other projects, which may name ours as their bases. mmengine finds
``_base_ = 'segkd_mm::student/mnv3s_slim_voc.py'`` in ``.mim/configs`` of the package and builds
what that file defines in the scope ``segkd_mm``. Every component is registered in mmseg's
registries, so those of this scope are empty children of them.
"""

from importlib import import_module

from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry
from mmseg import registry as parents

# Packages that mmengine takes configs from, by the name before the `::`. Of `mmseg::` it expects
# mmsegmentation, and mmengine.hub would install that over the files of onedl-mmsegmentation.
MODULE2PACKAGE.update(segkd_mm='segkd_mm', mmseg='mmseg')

OURS = 'segkd_mm.components'
# A registry imports its own components when it is first used, but not its parent's.
COMPONENTS = [
    OURS,
    *(f'mmseg.{room}' for room in ('datasets', 'engine', 'evaluation', 'models', 'visualization')),
]


def add_location(registry: Registry, location: str) -> None:
    """Let a registry import one module more when it is first used; at once if it has been.

    mmengine has no public way to add to the ``locations`` that a registry was made with.
    """
    registry._locations.insert(0, location)
    if registry._imported:
        import_module(location)


for parent in (getattr(parents, name) for name in parents.__all__):
    add_location(parent, OURS)
    Registry(parent.name, parent=parent, scope='segkd_mm', locations=COMPONENTS)
