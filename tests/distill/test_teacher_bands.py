import pytest
import torch
from mmseg.registry import MODELS
from test_teacher import IMAGENET_RGB, build  # noqa: F401  the fixture
from torch import nn

pytestmark = pytest.mark.slow

STUDENT = dict(
    type='BandPreProcessor', mean=[2000.0, 1500, 3000, 40], std=[2000.0, 2500, 1500, 1800]
)
SCALE = 255 / 10000
TAP = 'decode_head.conv_seg'


def teach(teacher, inputs_from, image):
    teacher.prepare([TAP], inputs_from)
    return teacher(image)[TAP]


def test_a_teacher_gets_its_bands_in_its_own_normalisation(build):  # noqa: F811
    torch.manual_seed(0)
    image = torch.randint(0, 10000, (1, 4, 64, 64)).float()
    student = MODELS.build(STUDENT)
    normalised = student({'inputs': [image[0]]})['inputs']
    options = dict(bands=(3, 0, 1), pixel_scale=SCALE, precision='fp32')
    found = teach(build(options, **IMAGENET_RGB), student, normalised)
    # Of a teacher of whole images, which come as they are loaded.
    loaded = teach(build(options, **IMAGENET_RGB), nn.Identity(), image)
    plain = build(dict(precision='fp32'), **IMAGENET_RGB)
    mean, std = (torch.tensor(IMAGENET_RGB[key]).view(-1, 1, 1) for key in ('mean', 'std'))
    expected = plain.model((image[:, [3, 0, 1]] * SCALE - mean) / std)
    for logits in (found, loaded):
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_a_grey_image_is_shown_as_three_colours(build):  # noqa: F811
    grey = MODELS.build(dict(type='BandPreProcessor', mean=[0.0], std=[100.0]))
    image = torch.rand(1, 1, 64, 64)
    teacher = build(dict(bands=(0, 0, 0), precision='fp32'), mean=[0.0] * 3, std=[50.0] * 3)
    found = teach(teacher, grey, image)
    expected = build(dict(precision='fp32')).model(2 * image.repeat(1, 3, 1, 1))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ('options', 'student', 'message'),
    [
        ({}, STUDENT, r'images have 4 channels, the teacher takes 3: .* bands=\(0, 1, 2\)'),
        ({'bands': (0, 1, 4)}, STUDENT, r'bands \(0, 1, 4\), but the images have 4 channels'),
        ({'bands': (0, 1)}, STUDENT, r'bands of the teacher is \(0, 1\), expected 3 numbers'),
        ({'bands': (0, 1, 2)}, STUDENT, 'standard deviations from 26.1 to 43.8 .* pixel_scale'),
        ({'pixel_scale': 0}, STUDENT, 'pixel_scale is 0'),
        ({'bands': (0, 1, 2)}, dict(type='SegDataPreProcessor', **IMAGENET_RGB), 'BGR to RGB'),
    ],
)
def test_bands_that_cannot_be_right_are_an_error(build, options, student, message):  # noqa: F811
    with pytest.raises(ValueError, match=message):
        build(options, **IMAGENET_RGB).prepare([TAP], MODELS.build(student))
