"""The target of a term: one teacher tap, or the mean of the probabilities of several taps."""

from collections.abc import Container, Mapping
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor

from segkd_mm.distill.adapters import average_to
from segkd_mm.one_logit import two_class_logits


def tap_weights(teacher: str | Mapping[str, float]) -> Mapping[str, float]:
    """The taps of a term's ``teacher``, one name or weights by name, and their weights."""
    return {teacher: 1.0} if isinstance(teacher, str) else teacher


class Mixture:
    """The weighted mean of the probabilities of teacher taps, as logits.

    A single tap is returned unchanged. Several must be logits [N, C, H, W] of the same classes, of
    which one channel is one class against the background and counts as two; the
    target is ``log Σ_i w_i softmax_C(t_i)`` at the smallest of their sizes, with weights that sum
    to 1 over the taps that have an output.

    Args:
        name: The term's key in the config, for messages.
        weights: By the tap's name, above 0.

    Raises:
        ValueError: There is no tap, or a weight is not above 0.
    """

    def __init__(self, name: str, weights: Mapping[str, float]) -> None:
        if not weights or min(weights.values()) <= 0:
            raise ValueError(
                f'Term {name!r}: teacher is {dict(weights)}, expected the name of a tap, or names '
                'of taps with weights above 0.'
            )
        self.name = name
        self.weights = dict(weights)

    def __str__(self) -> str:
        return f'tap{"s" * (len(self.weights) > 1)} {", ".join(map(repr, self.weights))}'

    def is_available(self, outputs: Container[str]) -> bool:
        """Whether any of the taps has an output."""
        return any(tap in outputs for tap in self.weights)

    def target(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """The target [N, C, h, w] from the outputs of taps; missing ones are left out.

        Raises:
            ValueError: The taps differ in their number of channels.
        """
        present = {tap: outputs[tap] for tap in self.weights if tap in outputs}
        if len(self.weights) == 1:
            return next(iter(present.values()))
        present = {tap: two_class_logits(x) for tap, x in present.items()}
        channels = {tap: x.shape[1] for tap, x in present.items()}
        if len(set(channels.values())) > 1:
            raise ValueError(
                f'Term {self.name!r}: a mean of teachers over different classes, channels '
                f'{channels}. Give each teacher a term of its own, with its own classes.'
            )
        return self._mean(present)

    def _mean(self, present: Mapping[str, Tensor]) -> Tensor:
        size = tuple(map(min, zip(*(x.shape[2:] for x in present.values()), strict=True)))
        total = sum(self.weights[tap] for tap in present)
        device = next(iter(present.values())).device
        with torch.autocast(device.type, enabled=False):
            parts = [
                F.log_softmax(average_to(x.float(), size), 1) + log(self.weights[tap] / total)
                for tap, x in present.items()
            ]
            return torch.stack(parts).logsumexp(0)
