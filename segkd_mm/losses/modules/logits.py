"""Modules of the losses of logits: pixel KL, CWD, DKD, DIST, Jaccard, boundary split."""

from mmseg.registry import MODELS
from torch import Tensor

from segkd_mm.losses import functional
from segkd_mm.losses.modules.base import KDLoss, LabelledKDLoss, set_positive


@MODELS.register_module()
class PixelKLLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.pixel_kl` on logits."""

    min_classes = 2

    def __init__(self, temperature: float = 1.0, **kwargs) -> None:
        super().__init__(**kwargs)
        set_positive(self, temperature=temperature)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.pixel_kl(student, teacher, valid, self.temperature)


@MODELS.register_module()
class StandardisedKLLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.standardised_kl` (logit standardisation)."""

    min_classes = 3  # two standardised logits are 1 and -1, whatever they were

    def __init__(self, temperature: float = 2.0, **kwargs) -> None:
        super().__init__(**kwargs)
        set_positive(self, temperature=temperature)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.standardised_kl(student, teacher, valid, self.temperature)


@MODELS.register_module()
class ChannelWiseLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.channel_wise` (CWD), on logits or features."""

    def __init__(self, temperature: float = 4.0, **kwargs) -> None:
        super().__init__(**kwargs)
        set_positive(self, temperature=temperature)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.channel_wise(student, teacher, valid, self.temperature)


@MODELS.register_module()
class DKDLoss(LabelledKDLoss):
    """Module of :func:`segkd_mm.losses.functional.dkd`, for dense labels."""

    min_classes = 2

    def __init__(
        self, temperature: float = 4.0, alpha: float = 1.0, beta: float = 8.0, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        set_positive(self, temperature=temperature)
        self.alpha = alpha
        self.beta = beta

    def compute(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return functional.dkd(student, teacher, labels, self.temperature, self.alpha, self.beta)


@MODELS.register_module()
class DISTLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.dist`."""

    min_classes = 2

    def __init__(
        self, temperature: float = 1.0, beta: float = 1.0, gamma: float = 1.0, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        set_positive(self, temperature=temperature)
        self.beta = beta
        self.gamma = gamma

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.dist(student, teacher, valid, self.temperature, self.beta, self.gamma)


@MODELS.register_module()
class SoftJaccardLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.soft_jaccard` (JDT)."""

    min_classes = 2

    def __init__(
        self,
        temperature: float = 1.0,
        threshold: float | None = 0.01,
        smooth: float = 0.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        set_positive(self, temperature=temperature)
        self.threshold = threshold
        self.smooth = smooth

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.soft_jaccard(
            student, teacher, valid, self.temperature, self.threshold, self.smooth
        )


@MODELS.register_module()
class HardJaccardLoss(LabelledKDLoss):
    """Module of :func:`segkd_mm.losses.functional.hard_jaccard` (the supervised half of JDT)."""

    min_classes = 2

    def __init__(self, smooth: float = 0.0, **kwargs) -> None:
        super().__init__(**kwargs)
        self.smooth = smooth

    def compute(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return functional.hard_jaccard(student, teacher, labels, self.smooth)


@MODELS.register_module()
class BoundarySplitLoss(LabelledKDLoss):
    """Module of :func:`segkd_mm.losses.functional.boundary_split` (BPKD)."""

    min_classes = 2

    def __init__(
        self,
        temperature: float = 1.0,
        width: int = 1,
        edge_weight: float = 1.0,
        body_weight: float = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        set_positive(self, temperature=temperature, width=width)
        self.edge_weight = edge_weight
        self.body_weight = body_weight

    def compute(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        return functional.boundary_split(
            student,
            teacher,
            labels,
            self.temperature,
            self.width,
            self.edge_weight,
            self.body_weight,
        )
