"""Maps packed for storage: the largest logits of each cell, features as int8, or all in float16."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from segkd_mm.one_logit import two_class_logits

TOP, IDS = '/top', '/ids'  # endings of the keys of packed tensors
INT8, SCALE = '/int8', '/scale'
LARGEST = 6e4  # that float16 holds
FLOAT16, EIGHT_BITS = 'float16', 'int8'  # packings


@dataclass(frozen=True)
class Storage:
    """How the maps of a tap are stored.

    Attributes:
        channels: Of the maps.
        packing: The number of largest logits that are kept beside the logsumexp of the others,
            ``'int8'`` for features, or ``'float16'`` for all values of either.
        stride: Of the maps that the student learns from, in pixels of its crop.
    """

    channels: int
    packing: int | str
    stride: int


def pack(x: Tensor, packing: int | str) -> dict[str, Tensor]:
    """The tensors that are stored of a map [C, h, w], by the ending of their key.

    Args:
        x: Logits or features of a teacher.
        packing: See :class:`Storage`.
    """
    x = x.clamp(-LARGEST, LARGEST).cpu()
    if packing == FLOAT16:
        return {'': x.half().contiguous()}
    if packing == EIGHT_BITS:
        scale = x.abs().amax((1, 2)).clamp(min=1e-12) / 127
        return {INT8: (x / scale[:, None, None]).round().to(torch.int8), SCALE: scale}
    values, ids = x.topk(packing, 0)
    rest = x.scatter(0, ids, -torch.inf).logsumexp(0, keepdim=True)
    ids = ids.to(torch.uint8 if len(x) <= 256 else torch.int16)
    return {TOP: torch.cat([values, rest]).half(), IDS: ids.contiguous()}


def endings(packing: int | str) -> tuple[str, ...]:
    """The endings of the keys that :func:`pack` gives."""
    return {FLOAT16: ('',), EIGHT_BITS: (INT8, SCALE)}.get(packing, (TOP, IDS))


def unpack(packed: Mapping[str, Tensor], channels: int) -> Tensor:
    """A map, float16 [C, h, w], of what :func:`pack` gave; logits in the rest share alike.

    Args:
        packed: By the ending of the key: all values; features, int8 [C, h, w], with the scale of
            each channel, float32 [C]; or the k largest logits and last the logsumexp of the rest,
            [k + 1, h, w], with their channels, uint8 or int16 [k, h, w].
        channels: C.
    """
    if '' in packed:
        return packed['']
    if INT8 in packed:
        return (packed[INT8] * packed[SCALE][:, None, None]).half()
    top, ids = packed[TOP], packed[IDS]
    rest = top[-1:].float() - log(channels - len(ids))
    logits = rest.expand(channels, *rest.shape[1:]).clone()
    return logits.scatter_(0, ids.long(), top[:-1].float()).half()


def choose_top(maps: Sequence[Tensor], max_kl: float) -> tuple[int | str, float]:
    """The packing of logits by the fewest largest within an error; float16 where that saves none.

    Args:
        maps: Logits [C, h, w] to measure on.
        max_kl: Highest mean KL divergence, in nats, of the stored distributions.

    Returns:
        The packing and its error.
    """
    channels = len(maps[0])
    id_bytes = 1 if channels <= 256 else 2
    # Two bytes for each value and for the rest; all values take two bytes a channel.
    for top in range(1, channels):
        if top * (2 + id_bytes) + 2 >= 2 * channels:
            break
        error = _divergence(maps, top)
        if error <= max_kl:
            return top, error
    return FLOAT16, _divergence(maps, FLOAT16)


def choose_feature_packing(maps: Sequence[Tensor], max_error: float) -> tuple[str, float]:
    """The packing of features by int8 where that is within an error, else by float16.

    Args:
        maps: Features [C, h, w] to measure on.
        max_error: Highest mean relative error of a cell: the length of the difference of its
            vectors, divided by the length of the vector.

    Returns:
        The packing and its error.
    """
    error = _relative_error(maps, EIGHT_BITS)
    return (EIGHT_BITS, error) if error <= max_error else (FLOAT16, _relative_error(maps, FLOAT16))


def _divergence(maps: Sequence[Tensor], packing: int | str) -> float:
    """Mean KL divergence, in nats, of the stored distributions from the given ones."""
    errors = []
    for logits in maps:
        stored = unpack(pack(logits, packing), len(logits))
        pair = (two_class_logits(x.cpu().double()[None]) for x in (logits, stored))
        p, q = (x.log_softmax(1) for x in pair)
        errors.append((p.exp() * (p - q)).sum(1).flatten())
    return torch.cat(errors).mean().item()


def _relative_error(maps: Sequence[Tensor], packing: str) -> float:
    errors = []
    for x in maps:
        lost = x.cpu().double() - unpack(pack(x, packing), len(x)).double()
        errors.append((lost.norm(dim=0) / x.cpu().double().norm(dim=0).clamp(min=1e-12)).flatten())
    return torch.cat(errors).mean().item()
