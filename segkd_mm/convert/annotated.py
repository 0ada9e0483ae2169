"""What the readers of all formats return: annotated images and the names of their classes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segkd_mm.datasets.folder_values import VOID_NAME, check_classes
from segkd_mm.hints import did_you_mean
from segkd_mm.labels import VOID


@dataclass(frozen=True)
class AnnotatedImage:
    """An image and its mask, which is drawn when it is needed.

    Attributes:
        image: The file, or the bytes of one.
        path: Where the image goes, inside a folder.
        names: The class of each annotation; None where the source is a mask.
        draw: Draws the mask, uint8 [H, W], from class ids by name and the id of all else.
    """

    image: Path | bytes
    path: Path
    names: Sequence[str] | None
    draw: Callable[[Mapping[str, int], int], np.ndarray]


@dataclass(frozen=True)
class AnnotatedImages:
    """All that a reader found.

    Attributes:
        names: Names of classes that can occur.
        images: The images.
        unlabelled: The class of pixels without annotation, or 'void', unless the user names it.
        classes: The classes to keep, unless the user names them.
        overlaps: Which of two annotations is on top, in words; None where there are none.
        notes: What the user should know.
    """

    names: Sequence[str]
    images: Sequence[AnnotatedImage]
    unlabelled: str
    classes: Sequence[str]
    overlaps: str | None = 'the smaller one'
    notes: Sequence[str] = field(default_factory=list)


def class_list(found: AnnotatedImages, chosen: Sequence[str] | None, unlabelled: str) -> list[str]:
    """The classes in the order of their ids; that of unlabelled pixels is first if not listed.

    Args:
        found: What the reader found.
        chosen: The classes to keep, in their order; None for those of the reader.
        unlabelled: The class of pixels without annotation, or 'void'.

    Raises:
        ValueError: A name does not occur or is given twice, or they are too many.
    """
    known = [*found.names, unlabelled]
    for name in chosen or []:
        if name not in known or name == VOID_NAME:
            raise ValueError(
                f'--classes has {name!r}{did_you_mean(name, found.names)}, expected some of the '
                f'classes in the annotations: {", ".join(found.names)}.'
            )
    classes = [name for name in chosen or found.classes if name != VOID_NAME]
    if unlabelled not in (*classes, VOID_NAME):
        classes.insert(0, unlabelled)
    check_classes(classes)
    return classes


def class_ids(classes: Sequence[str], unlabelled: str) -> tuple[dict[str, int], int]:
    """The ids of the classes by name, with void, and that of all other pixels."""
    ids = {**{name: i for i, name in enumerate(classes)}, VOID_NAME: VOID}
    return ids, ids[unlabelled]
