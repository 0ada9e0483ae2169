"""Removal of channels by torch-pruning, so that what stays depends on the ratio alone."""

import warnings
from copy import deepcopy
from types import ModuleType

import torch
from mmseg.models.segmentors import EncoderDecoder
from torch import Tensor, nn

from segkd_mm.libraries import import_library
from segkd_mm.normalisation import channels_of

SIDE = 128  # of the image by which layers that depend on each other are found, in pixels
MULTIPLE = 8  # of the channels that stay: runtimes compute eight or sixteen at a time
# On these heads of mmseg torch-pruning does not come to an end.
ENDLESS = 'GCHead', 'ISAHead'
LAYERS = nn.Conv2d, nn.ConvTranspose2d, nn.Linear


def remove_channels(model: EncoderDecoder, ratio: float) -> None:
    """Remove the channels of smallest magnitude, of each layer that can spare some.

    Raises:
        ValueError: torch-pruning cannot follow the layers of the model.
    """
    pruning = import_library('torch_pruning', 'prune')
    head = type(model.decode_head).__name__
    refusal = f'{type(model.backbone).__name__} with {head} cannot be pruned'
    if head in ENDLESS:
        raise ValueError(f'{refusal}.')
    channels = {layer: _channels(layer) for layer in model.modules() if isinstance(layer, LAYERS)}
    training = model.training
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    try:
        _prune(pruning, model.eval(), channels, ratio)
        _check(model, channels, ratio)
    except Exception as error:
        raise ValueError(f'{refusal}: {type(error).__name__}: {error}') from error
    model.train(training)
    for name in frozen:
        model.get_parameter(name).requires_grad_(False)


def _channels(layer: nn.Module) -> int:
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels


def _kept(channels: int, ratio: float) -> int:
    """How many channels of a layer stay."""
    rounded = int(channels * (1 - ratio) + 1e-6) // MULTIPLE * MULTIPLE
    return min(channels, max(rounded, MULTIPLE))


@torch.enable_grad()
def _prune(
    pruning: ModuleType, model: EncoderDecoder, channels: dict[nn.Module, int], ratio: float
) -> None:
    # Half a channel more than stays, as torch-pruning rounds down.
    ratios = {layer: max(0, 1 - (_kept(n, ratio) + 0.5) / n) for layer, n in channels.items()}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of parameters outside of layers
        pruner = pruning.MagnitudePruner(
            model,
            _image(model).requires_grad_(),  # so that frozen layers are followed, too
            importance=pruning.importance.GroupMagnitudeImportance(),
            pruning_ratio=ratio,
            pruning_ratio_dict=ratios,
            ignored_layers=[head.conv_seg for head in _heads(model)],
            forward_fn=_outputs,
            # By default dicts that all models share, which keep their layers.
            in_channel_groups={},
            out_channel_groups={},
        )
    _rank_depthwise_last(pruner.DG)
    pruner.ignored_layers.extend(_residual_layers(pruner.DG))
    pruner.step()


def _residual_layers(graph) -> list[nn.Module]:
    """The layers whose channels are added to those of others.

    All blocks of a stage share them: a student without a fifth of them did not regain its accuracy.
    """
    makes_channels = graph.is_out_channel_pruning_fn
    groups = graph.get_all_groups(root_module_types=LAYERS)
    added = (group for group in groups if any(_is_addition(dep.target) for dep, _ in group))
    return [dep.target.module for group in added for dep, _ in group if makes_channels(dep.handler)]


def _is_addition(node) -> bool:
    operation = node.grad_fn
    return operation is not None and operation.name() == 'AddBackward0' and len(node.inputs) > 1


def _rank_depthwise_last(graph) -> None:
    """Rank channels by the layers that make them.

    A depthwise convolution after a concatenation would rank those of several together, and how many
    each loses would depend on the weights.
    """
    nodes = graph.module2node.items()
    graph.module2node = dict(sorted(nodes, key=lambda node: getattr(node[0], 'groups', 1) > 1))


@torch.no_grad()
def _check(model: EncoderDecoder, channels: dict[nn.Module, int], ratio: float) -> None:
    """Check what each layer has lost, and that the model computes, in training too.

    Raises:
        ValueError: A layer has lost another number: some were ranked together, by their weights.
    """
    for layer, n in channels.items():
        found, expected = _channels(layer), _kept(n, ratio)
        if getattr(layer, 'groups', 1) == 1 and found not in (expected, n):
            raise ValueError(f'{found} channels of {n} stay in {layer}, expected {expected}')
    _outputs(model, _image(model))
    with torch.random.fork_rng(devices=[]):  # for dropout
        _outputs(deepcopy(model).train(), _image(model, batch=2))


def _image(model: EncoderDecoder, batch: int = 1) -> Tensor:
    return next(model.parameters()).new_zeros(batch, channels_of(model), SIDE, SIDE)


def _heads(model: EncoderDecoder) -> list[nn.Module]:
    auxiliary = getattr(model, 'auxiliary_head', None)
    others = auxiliary if isinstance(auxiliary, nn.ModuleList) else [auxiliary]
    return [model.decode_head, *(head for head in others if head is not None)]


def _outputs(model: EncoderDecoder, image: Tensor) -> list:
    """Features, used or not, and the logits of all heads."""
    features = model.extract_feat(image)
    return [features, *(head(features) for head in _heads(model))]
