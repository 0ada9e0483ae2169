"""Renormalisation of images: from the student's mean, std and channels to the teacher's."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from segkd_mm.normalisation import Normalisation


class Renormalise(nn.Module):
    """Converts images in the student's normalisation into the teacher's.

    Args:
        student: Of the images.
        teacher: Of the result.
        bands: The channels of the images that the teacher takes, in its own order; None for all.
        pixel_scale: Factor from the pixel values of the images to those of the teacher's.
    """

    def __init__(
        self,
        student: Normalisation,
        teacher: Normalisation,
        bands: Sequence[int] | None = None,
        pixel_scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.bands = None if bands is None else list(bands)
        self.flip = bands is None and student.bgr_to_rgb != teacher.bgr_to_rgb
        s_mean, s_std = (
            [values[band] for band in bands] if bands and len(values) > 1 else values
            for values in student[1:]
        )
        for name, values in zip(
            ('s_mean', 's_std', 't_mean', 't_std'), (s_mean, s_std, *teacher[1:]), strict=True
        ):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)
        self.s_mean *= pixel_scale
        self.s_std *= pixel_scale

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.bands is None else x[:, self.bands]
        pixels = x * self.s_std + self.s_mean
        pixels = pixels.flip(1) if self.flip else pixels
        return (pixels - self.t_mean) / self.t_std

    def contrast(self) -> tuple[float, float]:
        """Lowest and highest standard deviation of a channel of the result, of usual images.

        The mean and std of the student are taken to be those of its images.
        """
        ratio = self.s_std / self.t_std
        return ratio.min().item(), ratio.max().item()
