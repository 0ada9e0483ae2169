"""Losses of features as registered modules."""

from mmseg.registry import MODELS
from torch import Tensor

from segkd_mm.losses import functional
from segkd_mm.losses.modules.base import KDLoss


@MODELS.register_module()
class CosineFeatureLoss(KDLoss):
    """:func:`segkd_mm.losses.functional.cosine_feature`."""

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.cosine_feature(student, teacher, valid)


@MODELS.register_module()
class CosineSmoothL1Loss(KDLoss):
    """:func:`segkd_mm.losses.functional.cosine_smooth_l1`."""

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.cosine_smooth_l1(student, teacher, valid)


@MODELS.register_module()
class FitNetLoss(KDLoss):
    """:func:`segkd_mm.losses.functional.fitnet`."""

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.fitnet(student, teacher, valid)


@MODELS.register_module()
class PKDLoss(KDLoss):
    """:func:`segkd_mm.losses.functional.pkd`."""

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.pkd(student, teacher, valid)


@MODELS.register_module()
class AttentionTransferLoss(KDLoss):
    """:func:`segkd_mm.losses.functional.attention_transfer` (AT); needs no adapter."""

    same_channels = False

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.attention_transfer(student, teacher, valid)
