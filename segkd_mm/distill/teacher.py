"""A teacher that sees the student's crops: frozen, with its own normalisation and precision."""

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from inspect import signature
from math import ceil
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import ImgDataPreprocessor
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList
from torch import Tensor, nn

from segkd_mm.build_hints import check_keywords, keywords_of
from segkd_mm.config import plain_student, read_config
from segkd_mm.distill.frozen import FrozenModule
from segkd_mm.distill.fuse_norms import fused
from segkd_mm.distill.renormalise import Renormalise
from segkd_mm.distill.taps import Taps
from segkd_mm.normalisation import channels_of, normalisation_of
from segkd_mm.weights import WeightsError, load_strictly, read_state_dict

HALF = {'bf16': torch.bfloat16, 'fp16': torch.float16}
TRIAL = 64, 64
# A teacher whose channels have another standard deviation than about 1 sees noise, or nothing.
CONTRAST = 1 / 16, 16


@MODELS.register_module()
class Teacher(FrozenModule):
    """A segmentor with its weights, frozen, which gives out the tensors at its taps.

    Batch norms are fused into the convolutions before them where a trial shows that the taps stay
    as they are (:func:`segkd_mm.distill.fuse_norms.fused`).

    Args:
        model: Config of the segmentor, or the path of a config file which has one as ``model``, or
            its name in a package, such as ``mmseg::pspnet/...py``.
        checkpoint: Its weights, loaded strictly (:func:`segkd_mm.weights.read_state_dict`), terms
            of a distillation aside.
        trusted: Allow a checkpoint which could run code when it is read.
        input_scale: Size of the images it sees, as a factor of the student's.
        size_divisor: Its images are stretched to the next multiple of this in height and width,
            which keeps its features aligned with the student's.
        precision: ``'bf16'`` or ``'fp16'`` for its convolutions and matrix products, ``'fp32'`` for
            none of that. By default bf16 where the device to which it is moved computes in it
            natively, elsewhere the precision of the training around it.
        channels_last: Its memory format; by default where it has a half precision of its own.
        compile: Compile it by torch.compile: minutes at the start and for each new image size.
        bands: The channels of the student's images that it takes, in the order of its own channels
            (red, green and blue of most): for images of :class:`segkd_mm.datasets.LoadBands`.
        pixel_scale: Factor from the pixel values of these bands to those of the images that it was
            trained on, such as ``255 / 10000``.

    Raises:
        WeightsError: The weights cannot be had or do not fit.
        ValueError: Another ``precision``, a scale or divisor that is not above 0, or not as many
            bands as it has channels.
    """

    def __init__(
        self,
        model: dict | str,
        checkpoint: str,
        trusted: bool = False,
        input_scale: float = 1.0,
        size_divisor: int = 1,
        precision: Literal['bf16', 'fp16', 'fp32'] | None = None,
        channels_last: bool | None = None,
        compile: bool = False,
        bands: Sequence[int] | None = None,
        pixel_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if precision not in (None, 'fp32', *HALF):
            raise ValueError(
                f'precision is {precision!r}, expected None or one of {["fp32", *HALF]}.'
            )
        if input_scale <= 0 or size_divisor < 1:
            raise ValueError(
                f'input_scale is {input_scale} and size_divisor {size_divisor}, expected above 0 '
                'and at least 1.'
            )
        if pixel_scale <= 0:
            raise ValueError(f'pixel_scale is {pixel_scale}, expected above 0.')
        self.model = MODELS.build(model_config(model))
        _require_checkpoint(checkpoint)
        state = read_state_dict(checkpoint, trusted)
        load_strictly(self.model, state, checkpoint, ignore=['terms.'])
        self.channels = channels_of(self.model)
        self.bands = _checked_bands(bands, self.channels)
        self.pixel_scale = pixel_scale
        self.renormalise: nn.Module = nn.Identity()
        self._taps: Taps | None = None
        self.input_scale = input_scale
        self.size_divisor = size_divisor
        self.precision = precision
        self.dtype: torch.dtype | None = None
        self.channels_last = channels_last
        self.compile_model = compile
        self.requires_grad_(False).eval()

    def prepare(self, taps: Iterable[str], inputs_from: nn.Module) -> None:
        """Set, once, which taps to give out, and which preprocessor makes the images.

        Raises:
            TapError: A tap does not exist.
        """
        taps = set(taps)
        self.check_bands(inputs_from)
        self._renormalise(inputs_from)
        self.model = fused(self.model, partial(self._trial, taps))
        self._taps = Taps(self.model, taps)
        if self.channels_last:
            self.model.to(memory_format=torch.channels_last)
        if self.precision in HALF:
            self._halve(HALF[self.precision])
        if self.compile_model:
            self.model.compile()

    def _renormalise(self, inputs_from: nn.Module) -> None:
        if not isinstance(inputs_from, ImgDataPreprocessor | nn.Identity):
            MMLogger.get_current_instance().warning(
                f"The normalisation of the student's {type(inputs_from).__name__} is not known: "
                'its images are taken for pixel values from 0 to 255. If they are others, the '
                'teacher sees wrong ones; take a SegDataPreProcessor or a subclass of it.'
            )
        given = normalisation_of(inputs_from, max(self.bands) + 1 if self.bands else self.channels)
        own = normalisation_of(self.model.data_preprocessor, self.channels)
        if self.bands is None and self.pixel_scale == 1 and given == own:
            return
        if len(given.mean) > 1:
            self._check_channels(len(given.mean))
        self.renormalise = Renormalise(given, own, self.bands, self.pixel_scale).eval()

    def _check_channels(self, count: int) -> None:
        """Check that it can take images of ``count`` channels.

        Raises:
            ValueError: It cannot.
        """
        if self.bands is None and count != self.channels:
            raise ValueError(
                f'The images have {count} channels, the teacher takes {self.channels}: write which '
                'ones, such as bands=(0, 1, 2) for red, green and blue, in its config.'
            )
        if self.bands is not None and max(self.bands) >= count:
            raise ValueError(
                f'The teacher takes the bands {self.bands}, but the images have {count} channels, '
                f'0 to {count - 1}.'
            )

    def check_bands(self, inputs_from: nn.Module) -> None:
        """Check that its bands have the order and the range of values that it was trained on.

        Args:
            inputs_from: The preprocessor of the student.

        Raises:
            ValueError: They have not.
        """
        given = normalisation_of(inputs_from)
        if self.bands is None or not getattr(inputs_from, '_enable_normalize', False):
            return
        if given.bgr_to_rgb:
            raise ValueError(
                'bands of the teacher: the student turns its images from BGR to RGB, so that the '
                "bands have no fixed number. Load the images by dict(type='LoadBands', ...)."
            )
        self._check_channels(len(given.mean))
        own = normalisation_of(self.model.data_preprocessor, self.channels)
        low, high = Renormalise(given, own, self.bands, self.pixel_scale).contrast()
        if not CONTRAST[0] < low <= high < CONTRAST[1]:
            raise ValueError(
                f"By the student's std, the bands {self.bands} would have standard deviations from "
                f'{low:.3g} to {high:.3g} in the normalisation of the teacher, expected about 1. '
                "Correct the student's mean and std, or set pixel_scale of the teacher: the factor "
                'from these pixel values to those of the images that it was trained on, such as '
                '255 / 10000.'
            )

    @torch.no_grad()
    def _trial(self, taps: Collection[str], model: nn.Module) -> list[Tensor]:
        """The taps and the output of a model on an image of noise."""
        image = torch.randn(1, self.channels, *TRIAL, generator=torch.Generator().manual_seed(0))
        with Taps(model, taps) as kept:
            out = model(self._resize(image), mode='tensor')
        return [*kept.pop().values(), *((out,) if isinstance(out, Tensor) else out)]

    def _halve(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        for module in self.model.modules():
            # Autocast leaves weights alone that are of its type already; norms stay in float32.
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                module.to(dtype)
        if self.channels_last is None:
            self.model.to(memory_format=torch.channels_last)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> 'Teacher':
        super()._apply(fn, recurse)
        weight = next(self.parameters())
        # Where it is moved is where it will run.
        if self.precision is None and weight.dtype == torch.float32 and has_bf16(weight.device):
            self._halve(torch.bfloat16)
        return self

    def forward(
        self,
        inputs: Tensor,
        taps: Collection[str] | None = None,
        data_samples: OptSampleList = None,
    ) -> dict[str, Tensor]:
        """The tapped tensors of the student's images [N, C, H, W], by tap name.

        Args:
            inputs: As the student's preprocessor makes them.
            taps: The taps of this step; one model gives out all of its taps.
            data_samples: Not used: the model sees the images.

        Raises:
            RuntimeError: :meth:`prepare` was not called.
        """
        if self._taps is None:
            raise RuntimeError('The teacher has no taps: call prepare(taps, inputs_from) before.')
        with self._taps:
            self.output(inputs)
        return self._taps.pop()

    @torch.no_grad()
    def logit_taps(self) -> set[str]:
        """The taps whose tensor is the model's output on an image of noise; others are features."""
        device = next(self.parameters()).device
        draw = torch.Generator().manual_seed(0)
        image = torch.randn(1, self.channels, *TRIAL, generator=draw).to(device)
        with self._taps, self._precision(device.type):
            output = self.model(self._resize(image), mode='tensor')
        outputs = (output,) if isinstance(output, Tensor) else output
        taps = self._taps.pop().items()
        return {name for name, x in taps for y in outputs if x.shape == y.shape and x.equal(y)}

    @torch.no_grad()
    def output(self, inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The output of the model on the student's images: logits, of most models."""
        if inputs.ndim != 4:
            raise ValueError(f'The images are {list(inputs.shape)}, expected [N, C, H, W].')
        self._check_channels(inputs.shape[1])
        with self._precision(inputs.device.type):
            return self.model(self._resize(self.renormalise(inputs)), mode='tensor')

    def _precision(self, device: str) -> AbstractContextManager:
        if self.dtype:
            return torch.autocast(device, self.dtype)
        # Without a type of its own, it keeps to that of the training around it.
        return torch.autocast(device, enabled=False) if self.precision else nullcontext()

    def _resize(self, images: Tensor) -> Tensor:
        size = [
            ceil(round(side * self.input_scale) / self.size_divisor) * self.size_divisor
            for side in images.shape[2:]
        ]
        if size == list(images.shape[2:]):
            return images
        return F.interpolate(images, size, mode='bilinear', antialias=True)


def _checked_bands(bands: Sequence[int] | None, channels: int) -> tuple[int, ...] | None:
    if bands is None:
        return None
    if len(bands) != channels or min(bands) < 0:
        raise ValueError(
            f'bands of the teacher is {tuple(bands)}, expected {channels} numbers from 0 on: which '
            "channel of the student's images is which of its own."
        )
    return tuple(bands)


def has_bf16(device: torch.device) -> bool:
    """Whether a device has instructions for bf16, rather than emulating it in fp32."""
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == 'cpu':
        # An older torch has no public way to tell.
        able = getattr(torch.cpu, 'get_capabilities', dict)()
        return able.get('avx512_bf16', False) or able.get('amx_bf16', False)
    return False


def teacher_options(teacher: Mapping) -> dict[str, Any]:
    """The options of a teacher's config, with defaults, and its model as a dict.

    Raises:
        TypeError: It is no config of a :class:`Teacher`.
        BuildError: It has a keyword that a teacher has not.
    """
    options = dict(teacher)
    if (kind := options.pop('type', None)) != Teacher.__name__:
        raise TypeError(f"The teacher's type is {kind!r}, expected 'Teacher'.")
    check_keywords('teacher', options, keywords_of(Teacher))
    bound = signature(Teacher).bind(**options)
    bound.apply_defaults()
    return bound.arguments | {'model': model_config(bound.arguments['model'])}


def model_config(model: dict | str) -> dict:
    """A model's config as it is, or that in a config file; of a distillation the student's.

    A file of a package is named as ``mmseg::pspnet/pspnet_r50-d8_4xb4-80k_ade20k-512x512.py``.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if isinstance(model, dict):
        return model
    if '::' in model:  # as mmengine reads it among the bases of a config
        config = Config.fromstring(f'_base_ = {model!r}', '.py')
        return plain_student(Config(config.to_dict())).model  # without its temporary file
    if not Path(model).is_file():
        raise FileNotFoundError(
            f'The teacher is the config file {model}, which does not exist (looked in '
            f'{Path.cwd()}).'
        )
    return plain_student(read_config(Path(model))).model


def _require_checkpoint(checkpoint: object) -> None:
    """Check that a teacher has weights: with random ones it would teach noise."""
    if not isinstance(checkpoint, str | os.PathLike) or not os.fspath(checkpoint):
        raise WeightsError(
            f'teacher: found checkpoint={checkpoint!r:.60}, expected its weights: a file, an '
            'address, torchvision://MODEL or hf://OWNER/NAME.'
        )
