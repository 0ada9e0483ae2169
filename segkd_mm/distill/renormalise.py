"""Renormalisation of images: from the student's mean, std and channels to the teacher's."""

import torch
from torch import Tensor, nn

from segkd_mm.normalisation import normalisation_of


class Renormalise(nn.Module):
    """Converts images in the student's normalisation into the teacher's."""

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        super().__init__()
        s_flip, s_mean, s_std = normalisation_of(student)
        t_flip, t_mean, t_std = normalisation_of(teacher)
        self.flip = s_flip != t_flip
        for name, values in zip(
            ('s_mean', 's_std', 't_mean', 't_std'), (s_mean, s_std, t_mean, t_std), strict=True
        ):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        pixels = x * self.s_std + self.s_mean
        pixels = pixels.flip(1) if self.flip else pixels
        return (pixels - self.t_mean) / self.t_std
