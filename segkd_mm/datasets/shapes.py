"""Synthetic data set that is generated on first use, for tests and demonstrations."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from rich.progress import track

from segkd_mm.datasets.layout import CheckedLayout, holds_files
from segkd_mm.datasets.shapes_scene import OUTLINES, SceneStyle, draw_scene
from segkd_mm.files import folder_aside

MARKER = 'shapes.json'
# Increase it with any change to the scenes, to detect folders with older ones.
VERSION = 2
STYLE = SceneStyle()


def make_shapes(
    root: str | Path,
    num_train: int = 400,
    num_val: int = 100,
    seed: int = 0,
    style: SceneStyle = STYLE,
) -> None:
    """Generate scenes in ``root`` in the layout of PASCAL VOC, unless they are already there.

    The folder appears complete or not at all, also when several processes start together. An
    image depends only on the seed, the split and its number.

    Args:
        root: A folder that does not exist, is empty, or was made by this function.
        num_train: Number of training images.
        num_val: Number of validation images.
        seed: Seed of the scenes, 0 or more.
        style: How hard the scenes are.

    Raises:
        ValueError: The folder holds other files, or scenes made with other arguments.
    """
    root = Path(root).resolve()
    wanted = {'version': VERSION, 'num_train': num_train, 'num_val': num_val, 'seed': seed}
    if style != STYLE:  # else as in the folders that were made before there were styles
        wanted['style'] = json.loads(json.dumps(asdict(style)))  # tuples are lists
    if not holds_files(root):
        _make_aside(root, wanted, style)
    _check_marker(root, wanted)


def _make_aside(root: Path, wanted: dict, style: SceneStyle) -> None:
    try:
        with folder_aside(root) as folder:
            _write_scenes(folder, wanted, style)
            (folder / MARKER).write_text(json.dumps(wanted))
    except OSError:
        # Another process may have made it in the meantime; its files are checked next.
        if not holds_files(root):
            raise


def _write_scenes(folder: Path, wanted: dict, style: SceneStyle) -> None:
    splits = folder / 'ImageSets' / 'Segmentation'
    for sub in (splits, folder / 'JPEGImages', folder / 'SegmentationClass'):
        sub.mkdir(parents=True)
    scenes = [
        (split, number, f'{split}_{number:05d}')
        for split in ('train', 'val')
        for number in range(wanted[f'num_{split}'])
    ]
    for split, number, name in track(scenes, f'Making the shapes in {folder.name}', transient=True):
        rng = np.random.default_rng([wanted['seed'], split == 'val', number])
        image, mask = draw_scene(rng, style)
        _write_image(folder / 'JPEGImages' / f'{name}.jpg', image)
        _write_image(folder / 'SegmentationClass' / f'{name}.png', mask)
    for split in ('train', 'val'):
        names = [name for part, _, name in scenes if part == split]
        (splits / f'{split}.txt').write_text('\n'.join(names) + '\n')


def _write_image(file: Path, pixels: np.ndarray) -> None:
    _, content = cv2.imencode(file.suffix, pixels)
    file.write_bytes(content)  # cv2.imwrite raises nothing where the disk is full


def _check_marker(root: Path, wanted: dict) -> None:
    marker = root / MARKER
    found = json.loads(marker.read_text()) if marker.exists() else 'something else'
    if found != wanted:
        raise ValueError(
            f'{root} holds {found}, expected shapes made with {wanted}. Delete the folder, or '
            'choose another one: --cfg-options data_root=/path/to/it'
        )


@DATASETS.register_module()
class ShapesDataset(CheckedLayout, BaseSegDataset):
    """Synthetic scenes, by default of 160 x 160 pixels: seven shapes and background, void is 255.

    They are generated in ``data_root`` on first use, which takes a few seconds.

    Args:
        data_root: Folder of the scenes.
        num_train: See :func:`make_shapes`; also ``num_val`` and ``seed``. The same for all splits.
        tint_share: See :class:`segkd_mm.datasets.shapes_scene.SceneStyle`; also ``radius``,
            ``size`` and ``clutter``.

    Raises:
        ValueError: See :func:`make_shapes`.
        DataLayoutError: See :class:`CheckedLayout`.
    """

    METAINFO = {
        'classes': ('background', *OUTLINES),
        'palette': [
            [0, 0, 0], [230, 25, 75], [60, 180, 75], [255, 225, 25], [0, 130, 200],
            [245, 130, 48], [145, 30, 180], [70, 240, 240],
        ],
    }  # fmt: skip
    LAYOUT = """
shapes/
├── JPEGImages/*.jpg
├── SegmentationClass/*.png
├── ImageSets/Segmentation/{train,val}.txt
└── shapes.json
"""
    SOURCE = 'delete the folder; it is then generated again.'

    def __init__(
        self,
        data_root: str,
        num_train: int = 400,
        num_val: int = 100,
        seed: int = 0,
        tint_share: float = STYLE.tint_share,
        radius: Sequence[float] = STYLE.radius,
        size: int = STYLE.size,
        clutter: Sequence[int] = STYLE.clutter,
        **kwargs,
    ) -> None:
        self._scenes = {
            'num_train': num_train,
            'num_val': num_val,
            'seed': seed,
            'style': SceneStyle(tint_share, tuple(radius), size, tuple(clutter)),
        }
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        make_shapes(self.data_root, **self._scenes)
        return super().load_data_list()
