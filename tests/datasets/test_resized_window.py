import cv2
import numpy as np
import pytest

from segkd_mm.datasets import resized_window as window
from segkd_mm.datasets.resized_window import image_window, nearest_indices


def coordinates(height, width):
    """An image whose pixels hold their own place: x and y."""
    return np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)


def draw(rng):
    """Size of an image, its size when resized, and a window of that."""
    old = rng.integers(20, 700, 2)
    new = np.maximum(old * np.exp(rng.uniform(np.log(0.3), np.log(4))) + 0.5, 1).astype(int)
    start = [rng.integers(0, side) for side in new]
    stop = [rng.integers(a + 1, side + 1) for a, side in zip(start, new, strict=True)]
    return old, new, tuple(slice(*pair) for pair in zip(start, stop, strict=True))


def test_every_pixel_lies_where_resizing_the_whole_image_puts_it():
    rng = np.random.default_rng(0)
    for _ in range(100):
        (height, width), (new_height, new_width), part = draw(rng)
        image = coordinates(height, width)
        whole = cv2.resize(image, (new_width, new_height))
        found = image_window(image, (new_width, new_height), part)
        assert found.shape == whole[part].shape
        assert abs(found - whole[part]).max() < 1 / 128 + 1e-3


def test_an_image_of_its_own_size_is_cropped_to_the_bit():
    image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    part = slice(7, 31), slice(0, 60)
    assert np.array_equal(image_window(image, (60, 50), part), image[part])


def test_little_more_is_resized_than_the_window_shows(monkeypatch):
    areas = []

    def resize(part, *args, **kwargs):
        resized = cv2_resize(part, *args, **kwargs)
        areas.append(resized.shape[0] * resized.shape[1])
        return resized

    cv2_resize = cv2.resize
    monkeypatch.setattr(window.cv2, 'resize', resize)
    rng = np.random.default_rng(0)
    image = np.zeros((1024, 2048, 3), np.uint8)
    for _ in range(30):
        zoom = rng.uniform(0.5, 2)
        width, height = int(2048 * zoom), int(1024 * zoom)
        y, x = rng.integers(0, height - 511), rng.integers(0, width - 511)
        image_window(image, (width, height), (slice(y, y + 512), slice(x, x + 512)))
    # The whole is 3.7 million pixels on average.
    assert np.mean(areas) < 1.6 * 512 * 512


@pytest.mark.parametrize('old', [1, 2, 3, 97, 320, 481])
def test_nearest_is_that_of_cv2(old):
    line = (np.arange(old, dtype=np.float32) + 1)[None]
    for new in range(1, 1000):
        resized = cv2.resize(line, (new, 1), interpolation=cv2.INTER_NEAREST)
        assert np.array_equal(nearest_indices(old, new) + 1, resized[0])
