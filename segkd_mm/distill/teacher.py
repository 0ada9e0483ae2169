"""The teacher: a frozen segmentor which sees its own normalisation."""

from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager, nullcontext
from math import ceil
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList
from torch import Tensor, nn

from segkd_mm.distill.inert import Inert
from segkd_mm.distill.renormalise import Renormalise, normalisation
from segkd_mm.distill.taps import Taps
from segkd_mm.weights import load_strictly, read_state_dict

PRECISIONS = {'bf16': torch.bfloat16, 'fp16': torch.float16}


@MODELS.register_module()
class Teacher(Inert):
    """Any segmentor with its weights, for evaluation only, whatever is asked of it.

    Args:
        model: Config of the segmentor, or the path of a config file which has one as ``model``.
        checkpoint: Its weights, loaded strictly (:func:`segkd_mm.weights.read_state_dict`).
        trusted: Allow a checkpoint which could run code when it is read.
        input_scale: Size of the images it sees, as a factor of the student's.
        size_divisor: Its images are stretched to the next multiple of this in height and width,
            which keeps its features aligned with the student's.
        precision: ``'bf16'`` or ``'fp16'`` for its convolutions and matrix products.
        channels_last: Its memory format.
        compile: Compile it by torch.compile: minutes at the start and for each new image size.

    Raises:
        WeightsError: The weights cannot be had or do not fit.
        ValueError: Another ``precision``, or a scale or divisor that is not above 0.
    """

    def __init__(
        self,
        model: dict | str,
        checkpoint: str,
        trusted: bool = False,
        input_scale: float = 1.0,
        size_divisor: int = 1,
        precision: Literal['bf16', 'fp16'] | None = None,
        channels_last: bool = False,
        compile: bool = False,
    ) -> None:
        super().__init__()
        if precision not in (None, *PRECISIONS):
            raise ValueError(
                f'precision is {precision!r}, expected None or one of {list(PRECISIONS)}.'
            )
        if input_scale <= 0 or size_divisor < 1:
            raise ValueError(
                f'input_scale is {input_scale} and size_divisor {size_divisor}, expected above 0 '
                'and at least 1.'
            )
        self.model = MODELS.build(model_config(model))
        load_strictly(self.model, read_state_dict(checkpoint, trusted), checkpoint)
        self.renormalise: nn.Module = nn.Identity()
        self.input_scale = input_scale
        self.size_divisor = size_divisor
        self.dtype = PRECISIONS.get(precision)
        self.requires_grad_(False).eval()
        self._speed_up(channels_last, compile)

    def _speed_up(self, channels_last: bool, compile: bool) -> None:
        for module in self.modules():
            # Autocast leaves weights alone that are of its type already; norms stay in float32.
            if self.dtype and isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                module.to(self.dtype)
        if channels_last:
            self.to(memory_format=torch.channels_last)
        if compile:
            self.model.compile()

    def watch(self, taps: Iterable[str], inputs_from: nn.Module) -> None:
        """Say which taps to give out, and which preprocessor makes the images that will come.

        Raises:
            TapError: A tap does not exist.
        """
        self._taps = Taps(self.model, taps)
        own = self.model.data_preprocessor
        if normalisation(own) != normalisation(inputs_from):
            self.renormalise = Renormalise(inputs_from, own).eval()

    def forward(
        self,
        inputs: Tensor,
        taps: Collection[str] | None = None,
        data_samples: OptSampleList = None,
    ) -> dict[str, Tensor]:
        """The tapped tensors of the student's images [N, 3, H, W], by tap name.

        Args:
            inputs: As the student's preprocessor makes them.
            taps: What is wanted now; one model gives out all that it watches.
            data_samples: Of no need to a model that sees the images.
        """
        with self._taps:
            self.output(inputs)
        return self._taps.pop()

    @torch.no_grad()
    def output(self, inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What the model itself makes of the student's images: logits, of most models."""
        with self._precision(inputs.device.type):
            return self.model(self._resize(self.renormalise(inputs)), mode='tensor')

    def _precision(self, device: str) -> AbstractContextManager:
        # Without a type of its own, it keeps to that of the training around it.
        return torch.autocast(device, self.dtype) if self.dtype else nullcontext()

    def _resize(self, images: Tensor) -> Tensor:
        size = [
            ceil(round(side * self.input_scale) / self.size_divisor) * self.size_divisor
            for side in images.shape[2:]
        ]
        if size == list(images.shape[2:]):
            return images
        return F.interpolate(images, size, mode='bilinear', antialias=True)


def model_config(model: dict | str) -> dict:
    """A model's config as it is, or that in a config file.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if isinstance(model, dict):
        return model
    if not Path(model).is_file():
        raise FileNotFoundError(
            f'The teacher is the config file {model}, which does not exist (looked in '
            f'{Path.cwd()}).'
        )
    return Config.fromfile(model).model
