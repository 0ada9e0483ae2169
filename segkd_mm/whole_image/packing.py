"""Logits packed for storage: the largest values and ids of each cell, or all values in float16."""

from collections.abc import Mapping, Sequence
from math import log

import torch
from torch import Tensor

from segkd_mm.one_logit import two_class_logits

TOP, IDS = '/top', '/ids'  # endings of the keys of packed tensors
LARGEST = 6e4  # that float16 holds


def pack(logits: Tensor, top: int | None) -> dict[str, Tensor]:
    """The tensors that are stored of logits [C, h, w], by the ending of their key.

    Args:
        logits: Of a teacher.
        top: The number of largest logits to keep beside the logsumexp of the others; None for all,
            in float16.
    """
    logits = logits.clamp(-LARGEST, LARGEST).cpu()
    if top is None:
        return {'': logits.half().contiguous()}
    values, ids = logits.topk(top, 0)
    rest = logits.scatter(0, ids, -torch.inf).logsumexp(0, keepdim=True)
    ids = ids.to(torch.uint8 if len(logits) <= 256 else torch.int16)
    return {TOP: torch.cat([values, rest]).half(), IDS: ids.contiguous()}


def unpack(packed: Mapping[str, Tensor], channels: int) -> Tensor:
    """Logits, float16 [C, h, w], of what :func:`pack` gave; the channels in the rest share alike.

    Args:
        packed: By the ending of the key: all values; or the k largest and last the logsumexp of
            the rest, [k + 1, h, w], with their channels, uint8 or int16 [k, h, w].
        channels: C.
    """
    if TOP not in packed:
        return packed['']
    top, ids = packed[TOP], packed[IDS]
    rest = top[-1:].float() - log(channels - len(ids))
    logits = rest.expand(channels, *rest.shape[1:]).clone()
    return logits.scatter_(0, ids.long(), top[:-1].float()).half()


def choose_top(maps: Sequence[Tensor], max_kl: float) -> tuple[int | None, float]:
    """The smallest ``top`` for :func:`pack` within an error, None where it saves nothing.

    Args:
        maps: Logits [C, h, w] to measure on.
        max_kl: Highest mean KL divergence, in nats, of the stored distributions.

    Returns:
        ``top`` and its error.
    """
    channels = len(maps[0])
    id_bytes = 1 if channels <= 256 else 2
    # Two bytes for each value and for the rest; all values take two bytes a channel.
    for top in range(1, channels):
        if top * (2 + id_bytes) + 2 >= 2 * channels:
            break
        error = _error(maps, top)
        if error <= max_kl:
            return top, error
    return None, _error(maps, None)


def _error(maps: Sequence[Tensor], top: int | None) -> float:
    """Mean KL divergence, in nats, of the stored distributions from the given ones."""
    errors = []
    for logits in maps:
        stored = unpack(pack(logits, top), len(logits))
        pair = (two_class_logits(x.cpu().double()[None]) for x in (logits, stored))
        p, q = (x.log_softmax(1) for x in pair)
        errors.append((p.exp() * (p - q)).sum(1).flatten())
    return torch.cat(errors).mean().item()
