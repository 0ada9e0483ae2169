"""Rules that choose crop, scale, batch, schedule and class weights from a survey of the data.

docs/your_data.md lists them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from segkd_mm.scaffold.survey import Survey

MAX_SIDE = {'cpu': 320, 'cuda': 512}  # pixels of the shorter side
# Images up to this multiple of it stay as they are, in training and in testing.
TOLERANCE = 1.25
BATCH = {'cpu': 8, 'cuda': 16}
ITERATIONS = {'cpu': 1600, 'cuda': 8000}
EPOCHS = (10, 300)  # fewest and most
CROP_SHARE = 0.8
MULTIPLE = 32
VALIDATIONS = 10
# A class with less than this share of the pixels of the commonest is rare.
RARE = 0.05


@dataclass(frozen=True)
class Recipe:
    """How an experiment trains.

    Attributes:
        short_side: Shorter side of the images at ratio 1, in pixels.
        resizes_tests: Whether test images are resized to it, too.
        crop: Side of the square training crops.
        batch_size: Images of a batch.
        epochs: Length of the training.
        val_interval: Epochs from one validation to the next.
        labelled_per_batch: Labelled images in a batch where others are unlabelled.
        weighs_classes: Whether the cross-entropy has class weights.
    """

    short_side: int
    resizes_tests: bool
    crop: int
    batch_size: int
    epochs: int
    val_interval: int
    labelled_per_batch: int
    weighs_classes: bool


def choose_recipe(
    found: Survey, pixels: Sequence[int], device: str, epochs: int | None = None
) -> Recipe:
    """Choose how to train.

    Args:
        found: Survey of the data.
        pixels: Of each class.
        device: That of the training; any but ``cpu`` counts as a GPU.
        epochs: Length of the training; by default what gives :data:`ITERATIONS`.
    """
    kind = 'cpu' if device == 'cpu' else 'cuda'
    is_large = found.short_side > TOLERANCE * MAX_SIDE[kind]
    side = MAX_SIDE[kind] if is_large else found.short_side
    crop = max(MULTIPLE, int(CROP_SHARE * side) // MULTIPLE * MULTIPLE)
    samples = found.num_train + found.num_unlabelled
    batch_size = min(BATCH[kind], max(2, samples // 2))
    steps = max(1, samples // batch_size)
    epochs = epochs or min(max(ceil(ITERATIONS[kind] / steps), EPOCHS[0]), EPOCHS[1])
    return Recipe(
        short_side=side,
        resizes_tests=is_large,
        crop=crop,
        batch_size=batch_size,
        epochs=epochs,
        val_interval=ceil(epochs / VALIDATIONS),
        labelled_per_batch=batch_size // 2,
        weighs_classes=min(pixels) < RARE * max(pixels),
    )
