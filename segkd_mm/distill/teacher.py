"""The teacher: a frozen segmentor which sees its own normalisation."""

from collections.abc import Iterable
from pathlib import Path

import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.distill.taps import Taps
from segkd_mm.weights import load_strictly, read_state_dict


@MODELS.register_module()
class Teacher(nn.Module):
    """Any mmseg segmentor with its weights, for evaluation only, whatever is asked of it.

    Args:
        model: Config of the segmentor, or the path of a config file which has one as ``model``.
        checkpoint: Its weights, loaded strictly (:func:`segkd_mm.weights.read_state_dict`).
        trusted: Allow a checkpoint which could run code when it is read.

    Raises:
        WeightsError: The weights cannot be had or do not fit.
    """

    def __init__(self, model: dict | str, checkpoint: str, trusted: bool = False) -> None:
        super().__init__()
        self.model = MODELS.build(_model_config(model))
        load_strictly(self.model, read_state_dict(checkpoint, trusted), checkpoint)
        self.renormalise: nn.Module = nn.Identity()
        self.requires_grad_(False).eval()

    def watch(self, taps: Iterable[str], inputs_from: nn.Module) -> None:
        """Say which taps to give out, and which preprocessor makes the images that will come.

        Raises:
            TapError: A tap does not exist.
        """
        self._taps = Taps(self.model, taps)
        own = self.model.data_preprocessor
        if _normalisation(own) != _normalisation(inputs_from):
            self.renormalise = _Renormalise(inputs_from, own).eval()

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        """The tapped tensors of the student's images [N, 3, H, W], by tap name."""
        with self._taps:
            self.model(self.renormalise(inputs), mode='tensor')
        return self._taps.pop()

    def train(self, mode: bool = True) -> 'Teacher':
        """Stay in evaluation mode, dropout and stochastic depth as well as batch norm."""
        return super().train(False)

    def __deepcopy__(self, memo: dict) -> 'Teacher':
        # A copy of the model around it, such as the moving average of EMAHook, shares the teacher.
        return self


class _Renormalise(nn.Module):
    """From the student's normalised images to the teacher's, by way of the pixels."""

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        super().__init__()
        s_flip, s_mean, s_std = _normalisation(student)
        t_flip, t_mean, t_std = _normalisation(teacher)
        self.flip = s_flip != t_flip
        for name, values in zip(
            ('s_mean', 's_std', 't_mean', 't_std'), (s_mean, s_std, t_mean, t_std), strict=True
        ):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        pixels = x * self.s_std + self.s_mean
        pixels = pixels.flip(1) if self.flip else pixels
        return (pixels - self.t_mean) / self.t_std


def _normalisation(preprocessor: nn.Module) -> tuple[bool, list[float], list[float]]:
    """Whether a data preprocessor turns BGR round, and its mean and std, in pixel values."""
    turns = getattr(preprocessor, '_channel_conversion', False)
    if not getattr(preprocessor, '_enable_normalize', False):
        return turns, [0.0] * 3, [1.0] * 3
    return turns, preprocessor.mean.flatten().tolist(), preprocessor.std.flatten().tolist()


def _model_config(model: dict | str) -> dict:
    if isinstance(model, dict):
        return model
    if not Path(model).is_file():
        raise FileNotFoundError(
            f'The teacher is the config file {model}, which does not exist (looked in '
            f'{Path.cwd()}).'
        )
    return Config.fromfile(model).model
