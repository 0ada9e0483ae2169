"""Modules of the losses of features: cosine, cosine with smooth L1, FitNet, PKD, AT."""

from mmseg.registry import MODELS
from torch import Tensor

from segkd_mm.losses import functional
from segkd_mm.losses.modules.base import KDLoss


@MODELS.register_module()
class CosineFeatureLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.cosine_feature`."""

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.cosine_feature(student, teacher, valid)


@MODELS.register_module()
class CosineSmoothL1Loss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.cosine_smooth_l1`."""

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.cosine_smooth_l1(student, teacher, valid)


@MODELS.register_module()
class FitNetLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.fitnet`."""

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.fitnet(student, teacher, valid)


@MODELS.register_module()
class PKDLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.pkd`."""

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.pkd(student, teacher, valid)


@MODELS.register_module()
class AttentionTransferLoss(KDLoss):
    """Module of :func:`segkd_mm.losses.functional.attention_transfer` (AT); needs no adapter."""

    same_channels = False

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.attention_transfer(student, teacher, valid)
