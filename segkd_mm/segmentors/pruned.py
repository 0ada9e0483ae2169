"""EncoderDecoder without a part of its channels, which torch-pruning removes."""

from copy import deepcopy
from types import ModuleType

import torch
from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.libraries import import_library
from segkd_mm.normalisation import channels_of
from segkd_mm.weights import load_strictly, read_state_dict

TRACED = 128  # pixels per side of the image by which layers that depend on each other are found
MULTIPLE = 8  # of channels that stay: runtimes compute eight or sixteen at a time


@MODELS.register_module()
class PrunedEncoderDecoder(EncoderDecoder):
    """An EncoderDecoder without a part of its channels, in the trunk and in the heads alike.

    The same ratio of channels is removed from every layer but those of the classes, so that shapes
    depend on the ratio alone: a checkpoint loads as that of any model. When training starts, the
    channels whose weights have the largest magnitude stay. Distil from the unpruned model next.

    Source: DepGraph, arXiv 2301.12900, and its library torch-pruning (``MagnitudePruner``).

    Args:
        ratio: Part of each layer's channels that is removed, between 0 and 1. What stays is a
            multiple of 8 in large layers.
        unpruned: Checkpoint of the trained model with all channels; None starts from its
            weights at the start of a training, such as those of its trunk. Read by
            :meth:`init_weights`, that is when training starts.
        model: All other arguments are those of EncoderDecoder.

    Raises:
        ValueError: ``ratio`` is out of range, or the model is not of a kind that can be pruned.
        ImportError: torch-pruning is not installed.
    """

    def __init__(self, ratio: float, unpruned: str | None = None, **model) -> None:
        if not 0 < ratio < 1:
            raise ValueError(f'ratio is {ratio}, expected more than 0 and less than 1.')
        self._model = deepcopy(model)
        super().__init__(**model)
        self.ratio = ratio
        self.unpruned = unpruned
        remove_channels(self, ratio)

    def init_weights(self) -> None:
        """Take over the channels of largest magnitude of the unpruned model."""
        full = EncoderDecoder(**deepcopy(self._model))
        if self.unpruned is None:
            full.init_weights()
        else:
            state = read_state_dict(self.unpruned)
            load_strictly(full, state, self.unpruned, ignore=('terms.',))
        remove_channels(full, self.ratio)
        self.load_state_dict(full.state_dict())


def remove_channels(model: EncoderDecoder, ratio: float) -> None:
    """Remove the channels of smallest magnitude from all layers but those of the classes.

    Raises:
        ValueError: The model does not work without them: torch-pruning cannot follow its layers.
    """
    pruning = import_library('torch_pruning', 'prune')
    training = model.training
    model.eval()
    image = next(model.parameters()).new_zeros(1, channels_of(model), TRACED, TRACED)
    try:
        _step(pruning, model, image.requires_grad_(), ratio)
        with torch.no_grad():
            _all_logits(model, image)
    except Exception as error:
        raise ValueError(
            f'{type(model.backbone).__name__} with {type(model.decode_head).__name__} cannot be '
            f'pruned: {type(error).__name__}: {error}'
        ) from error
    model.train(training)


@torch.enable_grad()
def _step(pruning: ModuleType, model: EncoderDecoder, image: Tensor, ratio: float) -> None:
    # An image with a gradient shows frozen layers, too.
    pruner = pruning.MagnitudePruner(
        model,
        image,
        importance=pruning.importance.GroupMagnitudeImportance(),
        pruning_ratio=ratio,
        round_to=MULTIPLE,
        ignored_layers=[head.conv_seg for head in _heads(model)],
        forward_fn=_all_logits,
    )
    _rank_depthwise_last(pruner.DG)
    pruner.step()


def _rank_depthwise_last(graph) -> None:
    """Rank channels by the convolutions that make them.

    A depthwise one after a concatenation would rank those of several together, and how many each
    loses would depend on the weights.
    """
    nodes = graph.module2node.items()
    graph.module2node = dict(sorted(nodes, key=lambda node: getattr(node[0], 'groups', 1) > 1))


def _heads(model: EncoderDecoder) -> list[nn.Module]:
    auxiliary = getattr(model, 'auxiliary_head', None)
    others = auxiliary if isinstance(auxiliary, nn.ModuleList) else [auxiliary]
    return [model.decode_head, *(head for head in others if head is not None)]


def _all_logits(model: EncoderDecoder, image: Tensor) -> list[Tensor]:
    features = model.extract_feat(image)
    return [head(features) for head in _heads(model)]
