"""Cropping of a teacher's whole-image map to the pixels of the student's augmented crop."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def crop_map(
    whole: Tensor,
    image_size: tuple[int, int],
    affine: np.ndarray,
    crop_size: tuple[int, int],
    size: tuple[int, int],
) -> Tensor:
    """The part of a map of a whole image that an augmented crop shows.

    Each cell of the result is the map at the cell's centre, interpolated bilinearly. Outside of the
    image the map goes on as at its edge.

    Args:
        whole: [C, H, W], which covers the image.
        image_size: Height and width of the image in pixels.
        affine: From pixel centres (x, y) of the crop to those of the image, [2, 3].
        crop_size: Height and width of the crop in pixels, padding included.
        size: Height h and width w of the result, which covers all of the crop.

    Returns:
        [C, h, w] of float32.
    """
    matrix = np.vstack([affine, [0, 0, 1]])
    theta = _to_unit(image_size) @ matrix @ np.linalg.inv(_to_unit(crop_size))
    theta = torch.from_numpy(theta[None, :2])  # float64: large images need the digits
    grid = F.affine_grid(theta, [1, 1, *size], align_corners=False)
    whole = whole[None].float()
    return F.grid_sample(whole, grid.to(whole), padding_mode='border', align_corners=False)[0]


def _to_unit(size: tuple[int, int]) -> np.ndarray:
    """From pixel centres (x, y, 1) to coordinates that are -1 and 1 at the edges, [3, 3]."""
    height, width = size
    return np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
