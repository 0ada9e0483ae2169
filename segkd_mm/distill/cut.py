"""A map of a whole photo, cut to a crop of it."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def cut_to(
    image: tuple[int, int],
    size: tuple[int, int],
    said: Tensor,
    photo: tuple[int, int],
    to_photo: np.ndarray,
) -> Tensor:
    """What a map of a photo says in an augmented crop of it.

    Each cell is the map at its centre's place in the photo, interpolated between the centres of the
    map's cells. Beyond the photo it goes on as at its edge.

    Args:
        image: Height and width of the crop, padding included.
        size: Of the result, which covers all of that.
        said: [C, H, W], which covers the photo.
        photo: Height and width of the photo.
        to_photo: From pixel centres (x, y) of the crop to those of the photo, [2, 3].

    Returns:
        [C, h, w] of float32.
    """
    rows, columns = (
        (np.arange(cells) + 0.5) * (pixels / cells) - 0.5
        for cells, pixels in zip(size, image, strict=True)
    )
    x, y = np.meshgrid(columns, rows)
    places = np.stack([x, y, np.ones_like(x)], -1) @ to_photo.T
    # From pixel centres to -1 and 1 at the edges of the photo.
    places = (places + 0.5) * 2 / photo[::-1] - 1
    said = said[None].float()
    places = torch.from_numpy(places[None]).to(said)
    return F.grid_sample(said, places, padding_mode='border', align_corners=False)[0]
