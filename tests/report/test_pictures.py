import numpy as np
import pytest
from matplotlib.image import imread

from segkd_mm.report.pictures import VOID_COLOUR, colourise, comparison, overlay

CLASSES = ['background', 'cat', 'dog']
PALETTE = [[0, 0, 0], [200, 0, 0], [0, 0, 200]]


@pytest.fixture
def sample():
    """A grey photo and a mask: cat on the left, dog on the right."""
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


def test_overlay_by_hand():
    image = np.full((1, 2, 3), 100, dtype=np.uint8)
    mixed = overlay(image, np.array([[1, 255]]), PALETTE, opacity=0.25)
    assert mixed.tolist() == [[[125, 75, 75], [100, 100, 100]]]


def test_comparison_shows_photo_and_masks_in_their_places(tmp_path, sample):
    path = tmp_path / 'out' / 'a.png'
    comparison(path, ['image', 'truth'], [sample, sample], CLASSES, PALETTE, {'truth': 100.0})
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
        comparison(tmp_path / name, ['image', 'truth'], [[image, shown]], CLASSES, PALETTE)
        picture = pixels(tmp_path / name)
        photo_rows = np.flatnonzero((picture == 90).all(-1).mean(1) > 0.3)
        legends.append(picture[photo_rows[-1] + 3 :])
    two, four = legends
    assert holds(two, [200, 0, 0]) and holds(two, [0, 0, 200])
    assert not holds(two, [0, 0, 0]) and not holds(two, VOID_COLOUR)
    assert holds(four, [0, 0, 0]) and holds(four, VOID_COLOUR)


def test_nothing_is_clipped(tmp_path, sample):
    _, mask = sample
    mask[0, 0] = 0
    classes = ['a class with a very long name indeed', 'another with a longer name still', 'dog']
    comparison(tmp_path / 'a.png', ['a long title over a photo'], [[mask]], classes, PALETTE)
    picture = pixels(tmp_path / 'a.png')
    edges = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
    assert all((edge == 255).all() for edge in edges)


def test_portrait_is_no_taller_than_wide(tmp_path):
    comparison(tmp_path / 'a.png', ['a'], [[np.ones((90, 30), int)]], CLASSES, PALETTE)
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
        comparison(tmp_path / 'a.png', **{'classes': CLASSES, 'palette': PALETTE, **arguments})
    assert not list(tmp_path.iterdir())
