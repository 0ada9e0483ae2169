"""EncoderDecoder without a part of its channels."""

from copy import deepcopy
from numbers import Real

from mmseg.models.segmentors import EncoderDecoder
from mmseg.registry import MODELS

from segkd_mm.segmentors.channel_pruning import remove_channels
from segkd_mm.weights import load_strictly, read_state_dict


@MODELS.register_module()
class PrunedEncoderDecoder(EncoderDecoder):
    """An EncoderDecoder without a part of its channels, in the trunk and in the heads alike.

    The layers of the classes keep their channels, and so do those whose outputs are added to
    others', such as the last ones of residual blocks. Every other layer loses the same ratio, so
    that shapes depend on the ratio alone and a checkpoint loads as that of any model. When training
    starts, the channels whose weights have the largest magnitude stay. Their number is rounded down
    to a multiple of 8, and is 8 at least.

    Source: DepGraph, arXiv 2301.12900, and its library torch-pruning (``MagnitudePruner``).

    Args:
        ratio: Part of each layer's channels that is removed, between 0 and 1.
        unpruned: Checkpoint of the trained model with all channels; None starts from its weights
            at the start of a training, such as those of its trunk. Read by :meth:`init_weights`,
            that is when training starts or is resumed.
        model: All other arguments are those of EncoderDecoder.

    Raises:
        ValueError: ``ratio`` is out of range, or the model is not of a kind that can be pruned.
        ImportError: torch-pruning is not installed.
    """

    def __init__(self, ratio: float, unpruned: str | None = None, **model) -> None:
        if not (isinstance(ratio, Real) and 0 < ratio < 1):
            raise ValueError(f'ratio is {ratio!r}, expected more than 0 and less than 1.')
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
