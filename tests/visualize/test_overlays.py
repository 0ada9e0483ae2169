from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from matplotlib.image import imread
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from segkd_mm.visualize import overlays
from segkd_mm.visualize.label_maps import LabelMapIndex, label_map_file, read_label_map
from segkd_mm.visualize.overlays import (
    VOID_COLOUR,
    brightened,
    colourise,
    image_grid,
    overlay,
    picture_names,
    prediction_picture,
)
from segkd_mm.visualize.picture_hook import PredictionPicturesHook

CLASSES = ['background', 'cat', 'dog']
PALETTE = [[0, 0, 0], [200, 0, 0], [0, 0, 200]]


@pytest.fixture
def sample():
    """A grey image and a mask: cat on the left, dog on the right."""
    mask = np.full((40, 60), 1, dtype=np.uint8)
    mask[:, 30:] = 2
    return np.full((40, 60, 3), 90, dtype=np.uint8), mask


def pixels(path):
    return (imread(path)[..., :3] * 255).round().astype(int)


def holds(picture, colour):
    return (picture == colour).all(-1).any()


def test_colours_by_hand():
    coloured = colourise(np.array([[0, 1], [2, 255]]), PALETTE)
    assert coloured.dtype == np.uint8
    assert coloured.tolist() == [[[0, 0, 0], [200, 0, 0]], [[0, 0, 200], [*VOID_COLOUR]]]


@pytest.mark.parametrize('strange', [3, -1])
def test_unknown_class_is_named(strange):
    message = rf'class ids \[{strange}\]: the palette has 3 colours, so expected 0 to 2 or 255'
    with pytest.raises(ValueError, match=message):
        colourise(np.array([[0, strange]]), PALETTE)


def test_an_overlay_outlines_regions_and_leaves_void_and_black_as_they_are():
    image = np.full((1, 6, 3), 100, dtype=np.uint8)
    mixed = overlay(image, np.array([[1, 1, 255, 255, 0, 0]]), PALETTE, opacity=0.25)
    white, grey = [255] * 3, [100] * 3
    assert mixed.tolist() == [[[125, 75, 75], white, grey, white, grey, grey]]


def test_a_dark_image_is_made_lighter_and_another_is_not():
    dark, black, light = (np.full((1, 1, 3), value, dtype=np.uint8) for value in (25, 0, 64))
    # 0.25 of 255; for darker ones the gamma stays at 0.4: 255 * (2 / 255) ** 0.4 = 36.7
    assert brightened(dark)[0, 0].tolist() == [64] * 3
    assert brightened(np.full_like(dark, 2))[0, 0].tolist() == [37] * 3
    assert brightened(black) is black and brightened(light) is light


def test_comparison_shows_image_and_masks_in_their_places(tmp_path, sample):
    path = tmp_path / 'out' / 'a.png'
    image_grid(path, ['image', 'truth'], [sample, sample], CLASSES, PALETTE, {'truth': 100.0})
    picture = pixels(path)
    height, width = picture.shape[:2]
    assert width == pytest.approx(2 * 360, abs=40)
    assert 2 * 240 < height < 2 * 240 + 150
    for row in (0.35, 0.7):
        middle = picture[int(height * row)]
        assert middle[width // 4].tolist() == [90, 90, 90]
        assert middle[int(width * 0.55)].tolist() == [200, 0, 0]
        assert middle[int(width * 0.95)].tolist() == [0, 0, 200]
    assert list(path.parent.iterdir()) == [path]


def test_legend_names_only_what_is_there(tmp_path, sample):
    image, mask = sample
    legends = []
    for name, ids in {'two': [1, 2], 'four': [0, 1, 2, 255]}.items():
        shown = mask.copy()
        shown.flat[: len(ids)] = ids
        image_grid(tmp_path / name, ['image', 'truth'], [[image, shown]], CLASSES, PALETTE)
        picture = pixels(tmp_path / name)
        image_rows = np.flatnonzero((picture == 90).all(-1).mean(1) > 0.3)
        legends.append(picture[image_rows[-1] + 3 :])
    two, four = legends
    assert holds(two, [200, 0, 0]) and holds(two, [0, 0, 200])
    assert not holds(two, [0, 0, 0]) and not holds(two, VOID_COLOUR)
    assert holds(four, [0, 0, 0]) and holds(four, VOID_COLOUR)


def test_nothing_is_clipped(tmp_path, sample):
    _, mask = sample
    mask[0, 0] = 0
    classes = ['a class with a very long name indeed', 'another with a longer name still', 'dog']
    image_grid(tmp_path / 'a.png', ['a long title over an image'], [[mask]], classes, PALETTE)
    picture = pixels(tmp_path / 'a.png')
    edges = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
    assert all((edge == 255).all() for edge in edges)


def test_portrait_is_no_taller_than_wide(tmp_path):
    image_grid(tmp_path / 'a.png', ['a'], [[np.ones((90, 30), int)]], CLASSES, PALETTE)
    assert pixels(tmp_path / 'a.png').shape[0] < 360 + 150


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'columns': ['image']}, r"rows\[0\] has 2 pictures, expected 1.*\['image'\]"),
        ({'rows': []}, 'rows is empty'),
        ({'classes': ['cat']}, 'classes has 1 names and palette 3 colours'),
        ({'miou': {'techer': 1.0}}, r"miou names \['techer'\], expected some of the columns"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, sample, change, message):
    arguments = {'columns': ['image', 'truth'], 'rows': [sample], **change}
    with pytest.raises(ValueError, match=message):
        image_grid(tmp_path / 'a.png', **{'classes': CLASSES, 'palette': PALETTE, **arguments})
    assert not list(tmp_path.iterdir())


def test_huge_images_are_shrunk_and_look_the_same(tmp_path, sample, monkeypatch):
    image_grid(tmp_path / 'a.png', ['image', 'truth'], [sample], CLASSES, PALETTE)
    monkeypatch.setattr(overlays, 'LONG_SIDE', 30)
    image_grid(tmp_path / 'b.png', ['image', 'truth'], [sample], CLASSES, PALETTE)
    whole, shrunk = pixels(tmp_path / 'a.png'), pixels(tmp_path / 'b.png')
    assert whole.shape == shrunk.shape
    assert (abs(whole - shrunk) <= 1).all(-1).mean() > 0.98


def test_a_strange_class_is_named_in_a_huge_mask_too(tmp_path, monkeypatch):
    monkeypatch.setattr(overlays, 'LONG_SIDE', 30)
    with pytest.raises(ValueError, match=r'class ids \[-1\]'):
        image_grid(tmp_path / 'a.png', ['a'], [[np.full((50, 50), -1)]], CLASSES, PALETTE)


def test_prediction_is_shown_alone_and_over_the_image(tmp_path, sample):
    prediction_picture(tmp_path / 'a.png', *sample, CLASSES, PALETTE)
    picture = pixels(tmp_path / 'a.png')
    height, width = picture.shape[:2]
    assert width == pytest.approx(3 * 600, abs=60)
    middle = picture[height // 2]
    assert middle[width // 6].tolist() == [90, 90, 90]
    assert middle[int(width * 0.42)].tolist() == [200, 0, 0]
    assert middle[int(width * 0.58)].tolist() == [0, 0, 200]
    # Half the image's 90 and half the class's colour.
    assert middle[int(width * 0.75)].tolist() == [145, 45, 45]
    assert middle[int(width * 0.92)].tolist() == [45, 45, 145]


def test_legend_tells_how_much_of_the_image_each_class_takes(tmp_path, sample, monkeypatch):
    legends = []
    monkeypatch.setattr(overlays, '_legend', lambda figure, entries: legends.append([*entries]))
    image, mask = sample
    mask[:, :12] = 2
    mask[0, 0] = 0
    prediction_picture(tmp_path / 'a.png', image, mask, CLASSES, PALETTE)
    assert legends == [['background <1%', 'cat 30%', 'dog 70%']]


@pytest.mark.parametrize(
    ('images', 'names'),
    [
        (['a/1.jpg'], ['1']),
        (['a/1.jpg', 'a/2.b.png'], ['1', '2.b']),
        (['a/1.jpg', 'a/b/1.jpg', 'a/b/2.jpg'], ['1', 'b/1', 'b/2']),
        (['a/b/1.jpg', 'a/c/1.jpg'], ['b/1', 'c/1']),
        (['a/1.jpg', 'a/1.png', 'a/2.jpg'], ['1.jpg', '1.png', '2']),
        (['a/1.jpg', 'a/1.png', 'a/1.jpg.png'], ['1.jpg', '1.png', '1.jpg.png']),
        (['/x/1.jpg', '/x/../y/1.jpg'], ['x/1', 'y/1']),
    ],
)
def test_no_two_images_have_the_same_name(images, names):
    assert picture_names(images) == names


class Images(list):
    """As much of a data set as the hook looks at."""

    metainfo = {'classes': CLASSES, 'palette': PALETTE}

    def get_data_info(self, number):
        return {'img_path': self[number]}


def test_hook_draws_images_of_the_same_name_in_several_folders(tmp_path, sample):
    pixels, mask = sample
    images = Images(str(tmp_path / folder / '1.png') for folder in ('a', 'b'))
    data = PixelData(data=torch.from_numpy(mask)[None])
    samples = []
    for image in images:
        Path(image).parent.mkdir()
        cv2.imwrite(image, pixels)
        samples.append(SegDataSample(metainfo={'img_path': image}))
        samples[-1].set_data({'gt_sem_seg': data, 'pred_sem_seg': data})
    loader = SimpleNamespace(dataset=images)
    runner = SimpleNamespace(test_loop=SimpleNamespace(dataloader=loader))
    one = PredictionPicturesHook(str(tmp_path / 'one'), count=1)
    one.before_test(runner)
    one.after_test_iter(runner, 0, outputs=samples)
    assert [path.name for path in (tmp_path / 'one').glob('?/*.png')] == ['1.png']
    assert [*LabelMapIndex.read(tmp_path / 'one').images] == ['a/1']
    hook = PredictionPicturesHook(str(tmp_path / 'out'))
    hook.before_test(runner)
    hook.after_test_iter(runner, 0, outputs=samples)
    found = sorted(path.relative_to(tmp_path / 'out') for path in (tmp_path / 'out').rglob('*.*'))
    assert list(map(str, found)) == [
        'a/1.png', 'b/1.png', 'label_maps/prediction/a/1.png', 'label_maps/prediction/b/1.png',
        'label_maps/truth/a/1.png', 'label_maps/truth/b/1.png', 'label_maps.json',
    ]  # fmt: skip
    index = LabelMapIndex.read(tmp_path / 'out')
    assert index.images == {'a/1': images[0], 'b/1': images[1]}
    kept = read_label_map(label_map_file(tmp_path / 'out', 'prediction', 'b/1'))
    assert np.array_equal(kept, mask)
