import numpy as np
import pytest

from segkd_mm.datasets import RandomResizeCropFlip

HEIGHT, WIDTH = 90, 120
KEEP = {'scale': (WIDTH, HEIGHT), 'ratio_range': (1.0, 1.0), 'crop_size': (200, 200), 'prob': 0.0}
SCALE = {'ratio_range': (0.5, 2.0), 'crop_size': (999, 999)}
CROP = {'crop_size': (40, 50)}
FLIP = {'prob': 1.0}


def sample():
    """An image and a mask whose pixels hold their own place: x and y, and the row."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    image = np.dstack([x, y]).astype(np.float32)
    return {'img': image, 'gt_seg_map': y.astype(np.uint8), 'seg_fields': ['gt_seg_map']}


def augmented(seed=0, **options):
    np.random.seed(seed)
    return RandomResizeCropFlip(**{**KEEP, **options})(sample())


def places(results):
    """Where ``crop_to_image`` says that the pixels lie: x and y, [H, W, 2]."""
    height, width = results['img'].shape[:2]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.dstack([x, y, np.ones_like(x)]) @ results['crop_to_image'].T


@pytest.mark.parametrize(
    'options',
    [SCALE, CROP, FLIP, {**SCALE, **CROP, 'prob': 0.5}, {**SCALE, 'prob': 0.5}],
    ids=['scale', 'crop', 'flip', 'all', 'scale and flip'],
)
def test_crop_to_image_tells_where_each_pixel_comes_from(options):
    for seed in range(20):
        results = augmented(seed, **options)
        assert (results['crop_to_image'].dtype, results['crop_to_image'].shape) == (
            np.float64,
            (2, 3),
        )
        # Outside of the outermost centres there is nothing to mix.
        wanted = places(results).clip(0, (WIDTH - 1, HEIGHT - 1))
        assert abs(results['img'] - wanted).max() < 1 / 128 + 1e-3


def test_the_map_of_a_small_case():
    """Of 120 x 90 doubled and flipped, the first pixel is the last of 240: a quarter inside."""
    results = augmented(scale=(2 * WIDTH, 2 * HEIGHT), crop_size=(999, 999), prob=1.0)
    assert results['crop_to_image'].tolist() == [[-0.5, 0, 119.25], [0, 0.5, -0.25]]
    assert results['scale_factor'] == (2, 2)


def test_without_augmentation_nothing_changes():
    before, results = sample(), augmented()
    assert np.array_equal(results['img'], before['img'])
    assert np.array_equal(results['gt_seg_map'], before['gt_seg_map'])
    assert results['crop_to_image'].tolist() == [[1, 0, 0], [0, 1, 0]]
    assert (results['flip'], results['flip_direction']) == (False, None)


def test_what_moved_the_pixels_before_is_kept():
    before = np.array([[0.0, 1, 7], [2, 0, 5]])
    results = sample() | {'crop_to_image': before}
    np.random.seed(0)
    after = RandomResizeCropFlip(**{**KEEP, **CROP, 'prob': 1.0})(results)['crop_to_image']
    alone = augmented(**CROP, prob=1.0)['crop_to_image']
    # The last pixel of the first row, by hand through the one and then the other.
    x, y = alone @ [49, 0, 1]
    assert after @ [49, 0, 1] == pytest.approx([y + 7, 2 * x + 5])


def test_the_mask_stays_with_the_image():
    for seed in range(20):
        results = augmented(seed, **SCALE, prob=0.5)
        assert results['gt_seg_map'].shape == results['img_shape'] == results['img'].shape[:2]
        # cv2's nearest takes the pixel that holds the upper border, not the centre.
        gap = results['img'][..., 1] - results['gt_seg_map']
        step = 1 / results['scale_factor'][1]
        assert gap.min() > (step - 1) / 2 - 0.01 and gap.max() < (step + 1) / 2 + 0.01


def shares_of_crops(mask, cat_max_ratio):
    """Of what is not void in a crop of 32 x 32, the largest share of a class; for 60 crops."""
    transform = RandomResizeCropFlip(mask.shape, (1.0, 1.0), (32, 32), cat_max_ratio)
    np.random.seed(0)
    shares = []
    for _ in range(60):
        image = np.zeros((*mask.shape, 3), np.uint8)
        crop = transform({'img': image, 'gt_seg_map': mask, 'seg_fields': ['gt_seg_map']})
        counts = np.bincount(crop['gt_seg_map'].ravel(), minlength=256)[:255]
        shares.append(counts.max() / max(counts.sum(), 1))
    return np.array(shares)


def test_crops_of_one_class_are_drawn_again():
    mask = np.zeros((96, 96), np.uint8)
    mask[:, 48:] = 3
    # A crop shows enough of both from 15 of 65 places: 23 of 100 draws, 94 of 100 elevens.
    assert (shares_of_crops(mask, 1.0) < 0.75).mean() < 0.4
    assert (shares_of_crops(mask, 0.75) < 0.75).mean() > 0.85


def test_void_is_no_class():
    mask = np.full((96, 96), 255, np.uint8)
    assert (shares_of_crops(mask, 0.75) == 0).all()
    mask[:, 48:64], mask[:, 64:] = 1, 2
    # From 18 of 65 places: 97 of 100 elevens. Were void a class, most crops would show no other.
    assert (shares_of_crops(mask, 0.75) < 0.75).mean() > 0.9


def test_a_crop_may_lie_at_either_edge():
    starts = {
        tuple(augmented(seed, crop_size=(89, 119))['crop_to_image'][:, 2]) for seed in range(40)
    }
    assert starts == {(0, 0), (0, 1), (1, 0), (1, 1)}
