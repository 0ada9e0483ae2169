"""Models of segmentation_models.pytorch (smp) as mmseg segmentors."""

from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.hints import did_you_mean
from segkd_mm.libraries import import_library
from segkd_mm.segmentors.base import ForeignSegmentor
from segkd_mm.segmentors.normalisation import preprocessor_config, timm_preprocessor_config

# Encoders whose weights in smp were trained with another mean and std than ImageNet's.
OTHER_NORMALISATION = ('dpn', 'inception', 'xception')


@MODELS.register_module()
class SMPSegmentor(ForeignSegmentor):
    """A model of segmentation_models.pytorch (smp) as an mmseg segmentor, with smp's keys.

    The logits, also the tap ``logits``, are those before smp's own upsampling, which saves memory.
    Most models need images whose sides are multiples of 32: the default preprocessor pads them for
    testing; a teacher needs ``size_divisor=32``.

    Source: https://github.com/qubvel-org/segmentation_models.pytorch.

    Args:
        arch: ``Unet``, ``DeepLabV3Plus``, ``FPN``, ``Segformer``, ...
        encoder: smp's name of the encoder; ``tu-<name>`` for timm's.
        num_classes: Number of classes.
        options: Further arguments of ``smp.create_model``, such as ``decoder_channels``.
        data_preprocessor: By default one with the mean and std of the encoder's pretraining.
        settings: Further arguments of :class:`ForeignSegmentor`.

    Raises:
        ImportError: smp is not installed.
        ValueError: Unknown ``arch`` or ``encoder``, or an encoder whose mean and std are unknown.
    """

    def __init__(
        self,
        arch: str,
        encoder: str,
        num_classes: int,
        options: dict | None = None,
        data_preprocessor: dict | None = None,
        **settings: dict | None,
    ) -> None:
        smp = import_library('segmentation_models_pytorch', 'smp')
        _check('architecture', arch.lower(), list(smp.MODEL_ARCHITECTURES_MAPPING))
        if not encoder.startswith('tu-'):
            _check('encoder', encoder, smp.encoders.get_encoder_names())
        net = smp.create_model(
            arch, encoder, encoder_weights=None, classes=num_classes, **(options or {})
        )
        _remove_upsampling(net.segmentation_head)
        super().__init__(
            net,
            num_classes,
            data_preprocessor or _preprocessor_config(encoder),
            align_corners=True,  # as smp upsamples
            **settings,
        )

    def dense_logits(self, inputs: Tensor) -> Tensor:
        """Compute logits [N, num_classes, h, w]."""
        outputs = self.net(inputs)
        return outputs[0] if isinstance(outputs, tuple) else outputs  # without image labels


def _check(what: str, name: str, names: list[str]) -> None:
    if name not in names:
        raise ValueError(f'smp has no {what} {name!r}{did_you_mean(name, names)}.')


def _remove_upsampling(head: nn.Module) -> None:
    if isinstance(head, nn.Sequential):
        head[1] = nn.Identity()
    else:  # DPT's
        head.upsampling_factor = 1


def _preprocessor_config(encoder: str) -> dict:
    if encoder.startswith('tu-'):
        own = timm_preprocessor_config(encoder.removeprefix('tu-'))
    elif encoder.startswith(OTHER_NORMALISATION):
        raise ValueError(
            f"The encoder {encoder} was not trained with ImageNet's mean and std: give a "
            'data_preprocessor with those of its training.'
        )
    else:
        own = preprocessor_config()
    return own | dict(size_divisor=32, test_cfg=dict(size_divisor=32))
