from math import exp, log

import pytest
import torch
import torch.nn.functional as F

from segkd_mm.distill.view import View


def coordinates(images):
    """Logits at stride 4 of images [1, 3, H, W]: centres of the cells, in parts of the image."""
    rows, columns = (side // 4 for side in images.shape[2:])
    y = (torch.arange(rows) + 0.5) / rows
    x = (torch.arange(columns) + 0.5) / columns
    return torch.stack(torch.meshgrid(y, x, indexing='ij'))[None]


def test_one_size_is_what_the_teacher_says_where_its_stride_is_not_finer():
    photo = torch.rand(1, 3, 32, 48)
    assert torch.equal(View().logits(coordinates, photo, 4), coordinates(photo))
    assert torch.equal(View().logits(coordinates, photo, 1), coordinates(photo))


def test_finer_logits_are_averaged_down_and_stay_in_their_places():
    said = View().logits(coordinates, torch.rand(1, 3, 64, 96), 8)
    assert said.shape == (1, 2, 8, 12)
    expected = (torch.arange(12) + 0.5) / 12
    assert said[0, 1, 4].tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_cells_that_do_not_fit_are_divided():
    photo, fine = torch.rand(1, 3, 8, 40), torch.tensor([1.0, 2.0, 4.0]).expand(1, 1, 1, 3)
    said = View().logits(lambda _: fine, photo, 20)
    assert said.flatten().tolist() == pytest.approx([(1 + 2 / 2) / 1.5, (2 / 2 + 4) / 1.5])


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

    def ask(images):
        shown.append(tuple(images.shape[2:]))
        return coordinates(images)

    view.logits(ask, torch.rand(1, 3, 60, 80), 8)
    assert shown == sizes


def test_a_mirrored_photo_is_turned_back():
    photo = torch.zeros(1, 3, 8, 16)
    photo[..., :4] = 1

    def ask(images):
        return F.avg_pool2d(images[:, :2], 4)

    said = View(flip=True).logits(ask, photo, 4)
    assert torch.allclose(said, ask(photo))


def test_probabilities_are_averaged_on_the_scale_of_the_logits():
    answers = iter([[2.0, 0.0], [1.0, 4.0]])

    def ask(images):
        return torch.tensor(next(answers)).view(1, 2, 1, 1)

    said = View(flip=True).logits(ask, torch.rand(1, 3, 8, 8), 8).flatten()
    a, b = exp(2) / (exp(2) + 1), exp(1) / (exp(1) + exp(4))
    scale = (log(exp(2) + 1) + log(exp(1) + exp(4))) / 2
    assert said.tolist() == pytest.approx([log((a + b) / 2) + scale, log(1 - (a + b) / 2) + scale])
