"""The functions of ``functional`` as registered modules, for use in configs."""

from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.losses import functional


class KDLoss(nn.Module):
    """Base of the modules: a weight, and the void pixels of the labels left out.

    Args:
        loss_weight: Factor of the loss; at 0 the distiller leaves the term out.
        ignore_index: The id of void in the labels.
    """

    def __init__(self, loss_weight: float = 1.0, ignore_index: int = 255) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.ignore_index = ignore_index

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor | None = None) -> Tensor:
        """The weighted loss, a scalar.

        Args:
            student: [N, C, h, w].
            teacher: [N, C, h, w].
            labels: Class ids of the images, [N, H, W]; None where there are none.
        """
        valid = None
        if labels is not None:
            valid = functional.valid_pixels(labels, student.shape[2:], self.ignore_index)
        return self.loss_weight * self.compute(student, teacher, valid)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        raise NotImplementedError


class _TemperatureLoss(KDLoss):
    def __init__(self, temperature: float, **kwargs) -> None:
        super().__init__(**kwargs)
        if temperature <= 0:
            raise ValueError(f'{type(self).__name__}: temperature is {temperature}, must be > 0.')
        self.temperature = temperature


@MODELS.register_module()
class PixelKLLoss(_TemperatureLoss):
    """:func:`segkd_mm.losses.functional.pixel_kl` on logits."""

    def __init__(self, temperature: float = 1.0, **kwargs) -> None:
        super().__init__(temperature, **kwargs)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.pixel_kl(student, teacher, valid, self.temperature)


@MODELS.register_module()
class CosineFeatureLoss(KDLoss):
    """:func:`segkd_mm.losses.functional.cosine_feature`."""

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.cosine_feature(student, teacher, valid)


@MODELS.register_module()
class FitNetLoss(KDLoss):
    """:func:`segkd_mm.losses.functional.fitnet`."""

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.fitnet(student, teacher, valid)


@MODELS.register_module()
class ChannelWiseLoss(_TemperatureLoss):
    """:func:`segkd_mm.losses.functional.channel_wise` (CWD), on logits or features."""

    def __init__(self, temperature: float = 4.0, **kwargs) -> None:
        super().__init__(temperature, **kwargs)

    def compute(self, student: Tensor, teacher: Tensor, valid: Tensor | None) -> Tensor:
        return functional.channel_wise(student, teacher, valid, self.temperature)
