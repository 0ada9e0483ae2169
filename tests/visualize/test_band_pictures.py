import cv2
import numpy as np
import pytest

from segkd_mm.visualize.band_pictures import picture_of_bands, read_picture


def test_three_bands_are_stretched_each_and_others_are_left_out():
    ramp = np.arange(101.0).repeat(2).reshape(1, -1)  # its percentiles are its values
    bands = np.stack([ramp, 500 - 2 * ramp, ramp * 0 + 7, ramp * 0 - 1], 2)
    red, green, blue = np.moveaxis(picture_of_bands(bands), 2, 0).astype(int)
    # From 2 to 98: (50 - 2) / 96 = 1/2.
    assert red[0, [0, 4, 100, 196, 201]].tolist() == [0, 0, 128, 255, 255]
    assert abs(green - (255 - red)).max() <= 1
    assert not blue.any()
    assert np.array_equal(picture_of_bands(bands[..., :1])[..., 2], red)


def test_images_of_8_bits_are_shown_as_they_are_and_others_are_stretched(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'colours.png'), pixels[..., ::-1])
    assert np.array_equal(read_picture(tmp_path / 'colours.png'), pixels)
    cv2.imwrite(str(tmp_path / 'grey.png'), pixels[..., 0])
    assert np.array_equal(read_picture(tmp_path / 'grey.png'), pixels[..., [0, 0, 0]])
    for name in ('deep.png', 'deep.npy'):
        deep = (pixels.astype(np.uint16) + 100) * 3
        file = str(tmp_path / name)
        np.save(file, deep) if name.endswith('.npy') else cv2.imwrite(file, deep[..., ::-1])
        picture = read_picture(file)
        assert picture.dtype == np.uint8
        assert (picture.min((0, 1)) == 0).all() and (picture.max((0, 1)) == 255).all()
        assert abs(picture.astype(float) - pixels).max() < 10  # pixels fill 0 to 255


def test_a_damaged_file_is_an_os_error(tmp_path):
    for name in ('a.jpg', 'a.npy'):
        (tmp_path / name).write_bytes(b'')
        with pytest.raises(OSError, match='damaged, or no image'):
            read_picture(tmp_path / name)
