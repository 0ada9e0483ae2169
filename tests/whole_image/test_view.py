"""The view: sizes and flips at which a teacher sees an image."""

from math import exp, log

import pytest
import torch
import torch.nn.functional as F

from segkd_mm.whole_image.view import View


def coordinates(images):
    """Logits at stride 4 of images [1, 3, H, W]: centres of the cells, in parts of the image."""
    rows, columns = (side // 4 for side in images.shape[2:])
    y = (torch.arange(rows) + 0.5) / rows
    x = (torch.arange(columns) + 0.5) / columns
    return torch.stack(torch.meshgrid(y, x, indexing='ij'))[None]


def test_one_size_gives_the_teachers_logits_where_its_stride_is_not_finer():
    image = torch.rand(1, 3, 32, 48)
    assert torch.equal(View().logits(coordinates, image, 4), coordinates(image))
    assert torch.equal(View().logits(coordinates, image, 1), coordinates(image))


def test_finer_logits_are_averaged_down_and_stay_in_their_places():
    logits = View().logits(coordinates, torch.rand(1, 3, 64, 96), 8)
    assert logits.shape == (1, 2, 8, 12)
    expected = (torch.arange(12) + 0.5) / 12
    # At the edges the filter, of four old cells, has lost one of its sides.
    assert logits[0, 1, 4, 1:-1].tolist() == pytest.approx(expected[1:-1].tolist(), abs=1e-6)
    weights, centres = torch.tensor([0.75, 0.75, 0.25]), torch.tensor([0.5, 1.5, 2.5]) / 24
    assert logits[0, 1, 4, 0].item() == pytest.approx((weights @ centres).item() / 1.75)


def test_cells_that_do_not_fit_are_weighted_by_a_triangle_of_the_size_of_a_new_cell():
    image, fine = torch.rand(1, 3, 8, 40), torch.tensor([1.0, 2.0, 4.0]).expand(1, 1, 1, 3)
    # The centres of the new cells lie at 0.75 and 2.25 cells, those of the old at 0.5, 1.5, 2.5.
    near, middle = 1 - 0.25 / 1.5, 1 - 0.75 / 1.5
    expected = [(near + 2 * middle) / (near + middle), (2 * middle + 4 * near) / (near + middle)]
    logits = View().logits(lambda _: fine, image, 20)
    assert logits.flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ('view', 'sizes'),
    [
        (View(), [(60, 80)]),
        (View(short_side=120), [(120, 160)]),
        (View(scales=(0.5, 1.5), flip=True), [(30, 40), (30, 40), (90, 120), (90, 120)]),
        (View(short_side=30, scales=(2.0,)), [(60, 80)]),
    ],
)
def test_sizes_that_are_shown(view, sizes):
    shown = []

    def predict(images):
        shown.append(tuple(images.shape[2:]))
        return coordinates(images)

    view.logits(predict, torch.rand(1, 3, 60, 80), 8)
    assert shown == sizes


def test_a_mirrored_image_is_turned_back():
    image = torch.zeros(1, 3, 8, 16)
    image[..., :4] = 1

    def predict(images):
        return F.avg_pool2d(images[:, :2], 4)

    logits = View(flip=True).logits(predict, image, 4)
    assert torch.allclose(logits, predict(image))


def test_the_probabilities_of_one_logit_are_averaged():
    # Probabilities 0.75 and 0.25 of class 1 have the mean 0.5: equal logits of both classes.
    maps = [torch.full((1, 1, 2, 2), sign * log(3)) for sign in (1, -1)]
    merged = View(flip=True).merge(maps, (2, 2), 1)
    assert merged.shape == (1, 2, 2, 2)
    torch.testing.assert_close(merged.softmax(1), torch.full((1, 2, 2, 2), 0.5))


def test_probabilities_are_averaged_on_the_scale_of_the_logits():
    answers = iter([[2.0, 0.0], [1.0, 4.0]])

    def predict(images):
        return torch.tensor(next(answers)).view(1, 2, 1, 1)

    logits = View(flip=True).logits(predict, torch.rand(1, 3, 8, 8), 8).flatten()
    a, b = exp(2) / (exp(2) + 1), exp(1) / (exp(1) + exp(4))
    scale = (log(exp(2) + 1) + log(exp(1) + exp(4))) / 2
    assert logits.tolist() == pytest.approx(
        [log((a + b) / 2) + scale, log(1 - (a + b) / 2) + scale]
    )
