"""How much a picture shows."""

from os import PathLike

from matplotlib.image import imread


def ink(path: PathLike) -> float:
    """The share of the pixels of a picture that are not white."""
    return float((imread(path)[..., :3] < 0.98).any(-1).mean())
