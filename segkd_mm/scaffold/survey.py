"""Survey of folders of images and masks: how many, their sizes, and the values in the masks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from PIL import Image
from rich.progress import track

from segkd_mm.datasets.eight_bits import check_eight_bits
from segkd_mm.datasets.folder_pairs import check_pairs, files_by_stem, in_part
from segkd_mm.datasets.folder_source import SHARES
from segkd_mm.datasets.layout import DataLayoutError
from segkd_mm.datasets.mask_values import Colour, count_values
from segkd_mm.datasets.orientation import other_size
from segkd_mm.datasets.sample_error import named_image_errors
from segkd_mm.evenly_spaced import evenly_spaced

LOOKED_AT = 200  # images and masks, evenly spaced
MAX_COLOURS = 300
SEEDS = 50
PARTS = ('train', 'val')


@dataclass(frozen=True)
class Survey:
    """What is in the folders of an experiment.

    Attributes:
        images: Folder of the images.
        masks: Folder of the masks.
        is_mixed: Whether some of these images have no mask, and count as unlabelled.
        by_folders: Whether both have the folders train and val.
        seed: Of the split by shares.
        num_train: Labelled training images.
        num_val: Validation images.
        num_unlabelled: Images without labels.
        sizes: (width, height) of the images that were looked at.
        values: Pixels of each value in the masks that were looked at: an id, or a colour (red,
            green, blue).
    """

    images: str
    masks: str
    is_mixed: bool
    by_folders: bool
    seed: int
    num_train: int
    num_val: int
    num_unlabelled: int
    sizes: list[tuple[int, int]]
    values: Counter[int | Colour]

    @property
    def short_side(self) -> int:
        """The median of the shorter sides of the images, in pixels."""
        return int(median(min(size) for size in self.sizes))

    @property
    def is_coloured(self) -> bool:
        """Whether the masks hold colours in the place of ids."""
        return any(isinstance(value, tuple) for value in self.values)


def survey(images: str, masks: str, unlabelled: str | None = None) -> Survey:
    """Look into the folders of images, masks and, if there are any, unlabelled images.

    Where ``unlabelled`` is ``images``, those without a mask are the unlabelled ones.

    Raises:
        DataLayoutError: A folder is missing or empty, an image has no mask, or there are too few.
        SampleError: An image or a mask cannot be decoded, a mask has another size than its image,
            or the images have more than 8 bits.
        ValueError: The masks hold ids and colours, or more colours than classes can have.
    """
    is_mixed = bool(unlabelled) and Path(unlabelled).resolve() == Path(images).resolve()
    by_folders = all(Path(kind, part).is_dir() for kind in (images, masks) for part in PARTS)
    folders = PARTS if by_folders else ('',)
    pairs = {part: _pairs(Path(images, part), Path(masks, part), is_mixed) for part in folders}
    # The masks of all parts: a class may be in one alone.
    files = [pair for part in pairs.values() for pair in part.values()]
    if by_folders:
        seed, count = 0, [len(pairs[part]) for part in PARTS]
    else:
        seed, count = _best_seed([*pairs['']])
    others = files_by_stem(Path(unlabelled)) if unlabelled else {}
    chosen = [files[index] for index in evenly_spaced(len(files), LOOKED_AT)]
    check_eight_bits(chosen[0][0])
    return Survey(
        images,
        masks,
        is_mixed,
        by_folders,
        seed,
        *count,
        num_unlabelled=len(others) - (len(files) if is_mixed else 0),
        sizes=[_size(image, mask) for image, mask in chosen],
        values=_values([mask for _, mask in chosen]),
    )


def _best_seed(names: Sequence[str]) -> tuple[int, list[int]]:
    """The seed of a split that meets the shares best, and its numbers of images."""
    wanted = SHARES[1] * len(names)
    num_val = {seed: _num_val(names, seed) for seed in range(SEEDS)}
    seed = min(num_val, key=lambda seed: abs(num_val[seed] - wanted))
    # Called for its error where no seed gives both parts an image.
    return seed, [len(in_part(names, part, SHARES, seed)) for part in PARTS]


def _num_val(names: Sequence[str], seed: int) -> int:
    try:
        return len(in_part(names, 'val', SHARES, seed))
    except DataLayoutError:
        return 0


def _pairs(images: Path, masks: Path, is_mixed: bool) -> dict[str, tuple[Path, Path]]:
    image_files, mask_files = files_by_stem(images), files_by_stem(masks)
    if not is_mixed and (missing := [name for name in image_files if name not in mask_files]):
        raise DataLayoutError(
            f'{len(missing)} of {len(image_files)} images in {images} have no mask in {masks}, '
            f'such as {image_files[missing[0]].name}: an image and its mask have the same path '
            'inside their folders, but for the suffix. If they have none: --unlabelled '
            f'{images}; a --teacher then teaches on them, and without one they are left out.'
        )
    check_pairs([*image_files], image_files, mask_files, all_masked=not is_mixed)
    return {
        stem: (file, mask_files[stem]) for stem, file in image_files.items() if stem in mask_files
    }


def _size(file: Path, mask: Path) -> tuple[int, int]:
    with named_image_errors(file), Image.open(file) as image:
        size = image.size
    with named_image_errors(mask), Image.open(mask) as labels:
        if sorted(labels.size) != sorted(size):  # the EXIF orientation may swap them
            raise other_size(mask, labels.size[::-1], file, size[::-1])
    return size


def _values(masks: Sequence[Path]) -> Counter[int | Colour]:
    values: Counter[int | Colour] = Counter()
    for file in track(masks, 'looking at the masks', transient=True):
        values.update(count_values(str(file), file.read_bytes()))
        if len(values) > MAX_COLOURS:
            raise ValueError(
                f'{file.parent} holds masks of more than {MAX_COLOURS} values, the last seen '
                f'{file.name}. Masks need one id or colour for each class: saved as JPEG or '
                'resized smoothly they have many more. Save them as PNG, without smoothing.'
            )
    kinds = {type(value) for value in values}
    if len(kinds) > 1:
        raise ValueError(
            f'{masks[0].parent} holds masks of ids and masks of colours. Save all of them alike.'
        )
    return values
