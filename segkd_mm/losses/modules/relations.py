"""Modules of the losses of relations between positions (SKD, CIRKD, IFVD); no adapter needed."""

from mmseg.registry import MODELS
from torch import Tensor

from segkd_mm.losses import functional
from segkd_mm.losses.modules.base import KDLoss, LabelledKDLoss, set_nodes, set_positive


@MODELS.register_module()
class PairWiseLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.pair_wise` (SKD)."""

    same_channels = False

    def __init__(self, pool: int = 2, max_nodes: int | None = 1024, **kwargs) -> None:
        super().__init__(**kwargs)
        set_nodes(self, pool, max_nodes)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.pair_wise(student, teacher, valid, self.pool, self.max_nodes)


@MODELS.register_module()
class SelfSimilarityLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.self_similarity`."""

    same_channels = False

    def __init__(
        self, temperature: float = 0.07, pool: int = 2, max_nodes: int | None = 1024, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        set_positive(self, temperature=temperature)
        set_nodes(self, pool, max_nodes)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.self_similarity(
            student, teacher, valid, self.temperature, self.pool, self.max_nodes
        )


@MODELS.register_module()
class CrossImageLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.cross_image` (CIRKD, mini-batch)."""

    same_channels = False

    def __init__(
        self, temperature: float = 0.1, pool: int = 2, max_nodes: int | None = 256, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        set_positive(self, temperature=temperature)
        set_nodes(self, pool, max_nodes)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.cross_image(
            student, teacher, valid, self.temperature, self.pool, self.max_nodes
        )


@MODELS.register_module()
class IntraClassLoss(LabelledKDLoss):
    """Module of :func:`segkd_mm.losses.functional.intra_class` (IFVD)."""

    same_channels = False

    def compute(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return functional.intra_class(student, teacher, labels)
