"""Loading of a config's model with its weights and class names, in the form that is deployed."""

from collections.abc import Iterator, Sequence

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS
from timm.utils import reparameterize_model
from torch import nn

from segkd_mm.config import first_test_dataset
from segkd_mm.deploy.mirrored_trunk import without_same_padding
from segkd_mm.deploy.runtime import Runtime
from segkd_mm.weights import load_strictly, read_state_dict

# mmseg's name and torchvision's.
AUXILIARY_HEADS = ('auxiliary_head', 'aux_classifier')


def load_model(config: Config, checkpoint: str, device: str = 'cpu') -> nn.Module:
    """Build a config's model and load its weights, in eval mode.

    Raises:
        WeightsError: The checkpoint cannot be read or does not fit (``terms.*`` is ignored).
    """
    init_default_scope(config.get('default_scope', 'mmseg'))
    model = MODELS.build(config.model)
    load_strictly(model, read_state_dict(checkpoint), checkpoint, ignore=('terms.',))
    return model.to(device).eval()


def class_names(config: Config) -> dict:
    """Names and colours of a config's classes (``classes``, ``palette``); reads no data."""
    dataset = {**first_test_dataset(config), 'lazy_init': True, 'pipeline': []}
    return DATASETS.build(dataset).metainfo


def check_classes(runtime: Runtime, classes: Sequence[str]) -> None:
    """Check that a file was exported for the classes of the data.

    Raises:
        ValueError: It has others.
    """
    own = runtime.metadata['classes']
    if own != list(classes):
        raise ValueError(f'{runtime.path} has the classes {own}; the data have {[*classes]}.')


def deployable(model: nn.Module) -> nn.Module:
    """Change a model, in place, into the form that is deployed.

    Auxiliary heads go, which only the training loss uses, and the trunks of timm that train with
    parallel branches or separate norms (RepViT, MobileOne, FastViT, RepGhost ...) are fused by
    timm's ``reparameterize_model``: the same logits from fewer layers. Those with TensorFlow's
    padding become those of :mod:`segkd_mm.deploy.mirrored_trunk`.
    """
    for name in AUXILIARY_HEADS:
        if hasattr(model, name):
            delattr(model, name)
    for parent, name, trunk in list(_timm_trunks(model.eval())):
        reparameterize_model(trunk, inplace=True)
        parent.add_module(name, without_same_padding(trunk))
    return model


def _timm_trunks(parent: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Module]]:
    """The outermost modules of timm's, each after the module that it is in and its name there.

    Modules of others may call something else ``fuse``.
    """
    for name, child in parent.named_children():
        if type(child).__module__.startswith('timm.'):
            yield parent, name, child
        else:
            yield from _timm_trunks(child)
