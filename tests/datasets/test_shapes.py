from hashlib import sha256

import cv2
import numpy as np
import pytest

from segkd_mm.datasets import ShapesDataset, make_shapes, shapes
from segkd_mm.datasets.shapes_scene import OUTLINES, VOID, SceneStyle, draw_scene


def digest(root):
    files = sorted(file for file in root.rglob('*') if file.is_file())
    return sha256(b''.join(file.read_bytes() for file in files)).hexdigest()


def image(root, name):
    return (root / 'JPEGImages' / name).read_bytes()


def test_the_seed_alone_decides(tmp_path):
    for name, seed in (('one', 3), ('same', 3), ('other', 4)):
        make_shapes(tmp_path / name, 3, 2, seed)
    make_shapes(tmp_path / 'longer', 4, 2, 3)
    one, same, other, longer = (tmp_path / name for name in ('one', 'same', 'other', 'longer'))
    assert digest(one) == digest(same) != digest(other)
    assert image(one, 'train_00002.jpg') == image(longer, 'train_00002.jpg')
    assert image(one, 'train_00000.jpg') != image(one, 'val_00000.jpg')


def test_files_fit_the_layout(tmp_path):
    make_shapes(tmp_path / 'shapes', 3, 2)
    split = tmp_path / 'shapes/ImageSets/Segmentation/val.txt'
    assert split.read_text().split() == ['val_00000', 'val_00001']
    mask = cv2.imread(str(tmp_path / 'shapes/SegmentationClass/val_00001.png'), -1)
    image = cv2.imread(str(tmp_path / 'shapes/JPEGImages/val_00001.jpg'), -1)
    assert (mask.shape, image.shape) == ((160, 160), (160, 160, 3))
    assert [path.name for path in tmp_path.iterdir()] == ['shapes']


def test_a_folder_made_otherwise_is_an_error(tmp_path):
    make_shapes(tmp_path, 2, 1, seed=0)
    make_shapes(tmp_path, 2, 1, seed=0)
    with pytest.raises(ValueError, match=r"'seed': 0.*'seed': 7.*Delete the folder.*data_root="):
        make_shapes(tmp_path, 2, 1, seed=7)


def test_a_style_decides_the_scenes_and_is_checked(tmp_path):
    easy = SceneStyle(tint_share=1.0, radius=(26, 52), size=96, clutter=(0, 3))
    make_shapes(tmp_path, 1, 1, style=easy)
    make_shapes(tmp_path, 1, 1, style=easy)
    mask = cv2.imread(str(tmp_path / 'SegmentationClass/val_00000.png'), -1)
    assert mask.shape == cv2.imread(str(tmp_path / 'JPEGImages/val_00000.jpg'), 0).shape == (96, 96)
    assert set(np.unique(mask)) <= {*range(8), VOID}
    with pytest.raises(ValueError, match=r"'radius': \[26, 52\].*Delete the folder"):
        make_shapes(tmp_path, 1, 1)


def test_a_style_sets_what_is_drawn():
    """Over the same random numbers: larger objects, and colours that tell more of the class."""

    def scenes(**style):
        drawn = [draw_scene(np.random.default_rng(n), SceneStyle(**style)) for n in range(20)]
        return [np.stack(part) for part in zip(*drawn, strict=True)]

    (_, mask), (_, large) = scenes(clutter=(0, 1)), scenes(clutter=(0, 1), radius=(32, 88))
    assert (large > 0).mean() > 1.5 * (mask > 0).mean()
    image, mask = scenes(tint_share=1.0)
    told, _ = scenes(tint_share=0.0)
    discs = mask == 1  # of a red tint
    assert image[discs][:, 2].mean() > image[discs][:, 1].mean() + 50
    assert abs(told[discs][:, 2].mean() - told[discs][:, 1].mean()) < 25


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / 'thesis.tex').write_text('years of work')
    with pytest.raises(ValueError, match='holds something else'):
        make_shapes(tmp_path, 2, 1)
    assert [path.name for path in tmp_path.iterdir()] == ['thesis.tex']


def test_the_slower_of_two_processes_gives_way(tmp_path, monkeypatch):
    root, write = tmp_path / 'shapes', shapes._write_scenes

    def write_too_late(*arguments):
        write(*arguments)
        monkeypatch.setattr(shapes, '_write_scenes', write)
        make_shapes(root, 2, 1)
        (root / 'first').touch()

    monkeypatch.setattr(shapes, '_write_scenes', write_too_late)
    make_shapes(root, 2, 1)
    assert (root / 'first').exists()
    assert [path.name for path in tmp_path.iterdir()] == ['shapes']


def test_the_dataset_makes_itself(tmp_path):
    dataset = ShapesDataset(
        str(tmp_path / 'new/shapes'),
        num_train=3,
        num_val=2,
        data_prefix={'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClass'},
        ann_file='ImageSets/Segmentation/train.txt',
    )
    assert len(dataset) == 3
    assert dataset.metainfo['classes'] == ('background', *OUTLINES)
    assert len(dataset.metainfo['palette']) == 8


def test_labels_are_classes_with_void_between_them():
    labels = np.stack([draw_scene(np.random.default_rng(seed))[1] for seed in range(40)])
    assert set(np.unique(labels)) == {*range(8), VOID}
    left, right = labels[:, :, :-1], labels[:, :, 1:]
    touching = (left != right) & (left != VOID) & (right != VOID)
    assert touching.sum() == 0


def test_colour_alone_does_not_tell_the_class():
    """The best that the mean colours of the classes can do, pixel by pixel, is a poor mIoU."""
    scenes = [draw_scene(np.random.default_rng(seed)) for seed in range(60)]
    pixels = np.concatenate([image[label != VOID] for image, label in scenes]).astype(float)
    labels = np.concatenate([label[label != VOID] for _, label in scenes])
    means = np.array([pixels[labels == index].mean(axis=0) for index in range(8)])
    nearest = np.square(pixels[::7, None] - means).sum(axis=2).argmin(axis=1)
    truth = labels[::7]
    iou = [
        ((nearest == index) & (truth == index)).sum()
        / ((nearest == index) | (truth == index)).sum()
        for index in range(8)
    ]
    assert np.mean(iou) < 0.25
    # While the colour does hint at the class: of object pixels more than chance (1/7) are right.
    assert (nearest == truth)[truth > 0].mean() > 0.3
