"""Models of segmentation_models.pytorch as mmseg segmentors."""

from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.hints import did_you_mean
from segkd_mm.segmentors.base import ForeignSegmentor
from segkd_mm.segmentors.libraries import library
from segkd_mm.segmentors.normalisation import preprocessor, timm_preprocessor

# Their weights in smp were trained with other means than ImageNet's.
OTHER_MEANS = ('dpn', 'inception', 'xception')


@MODELS.register_module()
class SMPSegmentor(ForeignSegmentor):
    """A model of segmentation_models.pytorch (smp), with the keys of its ``state_dict``.

    The tap ``logits`` comes before smp's own upsampling, so that no map of all classes at the size
    of the images is made for a student. Most models want images whose sides divide by 32: padded
    when they are tested, and ``size_divisor=32`` of a teacher.

    Source: https://github.com/qubvel-org/segmentation_models.pytorch.

    Args:
        arch: ``Unet``, ``DeepLabV3Plus``, ``FPN``, ``Segformer``, ...
        encoder: smp's name of the encoder; ``tu-<name>`` for timm's.
        num_classes: Number of classes.
        options: Others of ``smp.create_model``, such as ``decoder_channels``.
        data_preprocessor: By default with the mean and std of the encoder's pretraining.
        settings: Others of :class:`ForeignSegmentor`.

    Raises:
        ImportError: smp is not installed.
        ValueError: Unknown ``arch`` or ``encoder``; an encoder whose mean and std must be given.
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
        smp = library('segmentation_models_pytorch', 'smp')
        _check('architecture', arch.lower(), list(smp.MODEL_ARCHITECTURES_MAPPING))
        if not encoder.startswith('tu-'):
            _check('encoder', encoder, smp.encoders.get_encoder_names())
        net = smp.create_model(
            arch, encoder, encoder_weights=None, classes=num_classes, **(options or {})
        )
        _without_upsampling(net.segmentation_head)
        super().__init__(
            net,
            num_classes,
            data_preprocessor or _preprocessor(encoder),
            align_corners=True,  # as smp upsamples
            **settings,
        )

    def dense_logits(self, inputs: Tensor) -> Tensor:
        """Logits [N, num_classes, h, w]."""
        outputs = self.net(inputs)
        return outputs[0] if isinstance(outputs, tuple) else outputs  # less those of the image


def _check(what: str, name: str, names: list[str]) -> None:
    if name not in names:
        raise ValueError(f'smp has no {what} {name!r}{did_you_mean(name, names)}.')


def _without_upsampling(head: nn.Module) -> None:
    if isinstance(head, nn.Sequential):
        head[1] = nn.Identity()
    else:  # DPT's
        head.upsampling_factor = 1


def _preprocessor(encoder: str) -> dict:
    if encoder.startswith('tu-'):
        own = timm_preprocessor(encoder.removeprefix('tu-'))
    elif encoder.startswith(OTHER_MEANS):
        raise ValueError(
            f"The mean and std of {encoder} are not ImageNet's: give a data_preprocessor with "
            'those of its training.'
        )
    else:
        own = preprocessor()
    return own | dict(size_divisor=32, test_cfg=dict(size_divisor=32))
