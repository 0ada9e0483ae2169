"""Losses of relations between positions as registered modules; they need no adapter."""

from mmseg.registry import MODELS
from torch import Tensor

from segkd_mm.losses import functional
from segkd_mm.losses.modules.base import KDLoss, LabelledKDLoss, positive


@MODELS.register_module()
class PairWiseLoss(KDLoss):
    """:func:`segkd_mm.losses.functional.pair_wise` (SKD)."""

    same_channels = False

    def __init__(self, pool: int = 2, **kwargs) -> None:
        super().__init__(**kwargs)
        positive(self, pool=pool)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.pair_wise(student, teacher, valid, self.pool)


@MODELS.register_module()
class SelfSimilarityLoss(KDLoss):
    """:func:`segkd_mm.losses.functional.self_similarity`."""

    same_channels = False

    def __init__(self, temperature: float = 0.07, pool: int = 2, **kwargs) -> None:
        super().__init__(**kwargs)
        positive(self, temperature=temperature, pool=pool)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.self_similarity(student, teacher, valid, self.temperature, self.pool)


@MODELS.register_module()
class CrossImageLoss(KDLoss):
    """:func:`segkd_mm.losses.functional.cross_image` (CIRKD, mini-batch)."""

    same_channels = False

    def __init__(self, temperature: float = 0.1, pool: int = 2, **kwargs) -> None:
        super().__init__(**kwargs)
        positive(self, temperature=temperature, pool=pool)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.cross_image(student, teacher, valid, self.temperature, self.pool)


@MODELS.register_module()
class IntraClassLoss(LabelledKDLoss):
    """:func:`segkd_mm.losses.functional.intra_class` (IFVD)."""

    same_channels = False

    def compute(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return functional.intra_class(student, teacher, labels)
