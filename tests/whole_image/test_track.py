"""A float image of its own coordinates says where each of its pixels came from."""

import pickle

import numpy as np
import pytest
from mmcv.transforms import RandomResize
from mmseg.datasets import transforms as mmseg_transforms
from mmseg.registry import TRANSFORMS

from segkd_mm.whole_image.track import IDENTITY, TrackAffine

HEIGHT, WIDTH = 90, 121
CASES = {
    'resize by a factor for each side': [{'type': 'Resize', 'scale': (77, 140)}],
    'random resize': [
        {'type': 'RandomResize', 'scale': (120, 90), 'ratio_range': (0.5, 2.0), 'keep_ratio': True}
    ],
    'resize of the shorter side': [
        {'type': 'ResizeShortestEdge', 'scale': 64, 'max_size': 100}
    ],
    'resize to a multiple': [{'type': 'ResizeToMultiple', 'size_divisor': 32}],
    'choice of sizes': [
        {'type': 'RandomChoiceResize', 'scales': [(60, 50), (200, 180)], 'keep_ratio': False}
    ],
    'crop': [{'type': 'RandomCrop', 'crop_size': (40, 56), 'cat_max_ratio': 0.75}],
    'crop larger than the image': [{'type': 'RandomCrop', 'crop_size': (200, 56)}],
    'flip': [
        {'type': 'RandomFlip', 'prob': [0.3, 0.3, 0.3],
         'direction': ['horizontal', 'vertical', 'diagonal']}
    ],
    'rotate': [{'type': 'RandomRotate', 'prob': 0.8, 'degree': 40}],
    'rotate about a point': [
        {'type': 'RandomRotate', 'prob': 1.0, 'degree': 20, 'center': (30.0, 10.0)}
    ],
    'rotate and grow': [{'type': 'RandomRotate', 'prob': 1.0, 'degree': 30, 'auto_bound': True}],
    'pad': [{'type': 'Pad', 'size': (160, 200)}],
}  # fmt: skip
CASES['all'] = [
    step
    for case in ('random resize', 'resize to a multiple', 'rotate', 'flip', 'crop', 'flip', 'pad')
    for step in CASES[case]
]


def image():
    """Columns, rows, and 1 where there is an image; and a mask of two classes."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    return {
        'img': np.stack([x, y, np.ones_like(x)], -1),
        'img_shape': (HEIGHT, WIDTH),
        'gt_seg_map': (x > 60).astype(np.uint8),
        'seg_fields': ['gt_seg_map'],
        'crop_to_image': IDENTITY,
    }


@pytest.mark.parametrize('case', CASES)
def test_each_pixel_is_found_in_the_image(case):
    transforms = [TrackAffine(TRANSFORMS.build(dict(step))) for step in CASES[case]]
    worst, seen = 0.0, 0
    for seed in range(20):
        np.random.seed(seed)
        results = image()
        for transform in transforms:
            results = transform(results)
        augmented = results['img']
        y, x = np.mgrid[: augmented.shape[0], : augmented.shape[1]]
        said = np.stack([x, y, np.ones_like(x)], -1) @ results['crop_to_image'].T
        # At the edge of the image interpolation stops; nothing there is an average of two sides.
        inside = ((said >= 1) & (said <= [WIDTH - 2, HEIGHT - 2])).all(-1) & (
            augmented[..., 2] == 1
        )
        worst = max(worst, np.abs(said - augmented[..., :2])[inside].max())
        seen += inside.mean() / 20
    assert (
        worst < 1 / 16
    )  # OpenCV rotates in steps of 1/32, and the augmented may be half the image
    assert seen > 0.05


@pytest.mark.parametrize('case', CASES)
def test_random_numbers_and_images_are_those_of_the_transform_alone(case):
    plain = [TRANSFORMS.build(dict(step)) for step in CASES[case]]
    outcomes = []
    for transforms in (plain, [TrackAffine(one) for one in plain]):
        np.random.seed(3)
        results = image()
        for transform in transforms:
            results = transform(results)
        outcomes.append((results['img'], results['gt_seg_map'], np.random.rand()))
    for alone, tracked in zip(*outcomes, strict=True):
        assert np.array_equal(alone, tracked)


def test_a_transform_that_was_used_goes_to_workers_as_any_other():
    transform = TrackAffine(TRANSFORMS.build({'type': 'RandomCrop', 'crop_size': 32}))
    transform(image())
    assert pickle.loads(pickle.dumps(transform)).inner.crop_size == (32, 32)


class _Shift:
    """A transform that is not known here; it may say what it does."""

    def __init__(self, says):
        self.says = says

    def __call__(self, results):
        if self.says:
            results['crop_to_image'] = results['crop_to_image'] + [[0, 0, 1], [0, 0, 0]]
        return results


def test_a_transform_that_is_not_known_has_to_say_where_its_pixels_lie():
    assert TrackAffine(_Shift(True))(image())['crop_to_image'].tolist() == [[1, 0, 1], [0, 1, 0]]
    with pytest.raises(
        TypeError, match=r'_Shift may move pixels.*Known transforms are: .*RandomCrop'
    ):
        TrackAffine(_Shift(False))(image())


def test_a_distortion_of_colours_leaves_pixels_in_their_places_also_as_a_subclass():
    class Faster(mmseg_transforms.PhotoMetricDistortion):
        pass

    assert TrackAffine(Faster())(image())['crop_to_image'] is IDENTITY


def test_a_subclass_of_a_known_transform_is_not_known():
    class Sheared(mmseg_transforms.RandomCrop):
        pass

    with pytest.raises(TypeError, match='Sheared may move pixels'):
        TrackAffine(Sheared(32))(image())


def test_a_resize_of_another_kind_inside_a_random_one_is_not_known():
    class Warped(mmseg_transforms.Resize):
        pass

    drawn = RandomResize(scale=(96, 64), ratio_range=(0.5, 2.0), keep_ratio=True)
    drawn.resize = Warped(scale=(96, 64))
    with pytest.raises(TypeError, match='RandomResize resizes by Warped, which may move pixels'):
        TrackAffine(drawn)(image())
