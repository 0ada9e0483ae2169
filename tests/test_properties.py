"""Laws that hold for any input, on inputs that hypothesis draws."""

import io
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from segkd_mm.datasets import SampleError
from segkd_mm.datasets.mask_values import read_mask
from segkd_mm.distill.class_map import ALL_OTHERS, ClassMap
from segkd_mm.labels import VOID
from segkd_mm.losses import functional
from segkd_mm.whole_image.crop import crop_map
from segkd_mm.whole_image.packing import EIGHT_BITS, FLOAT16, pack, unpack

few = partial(
    settings, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
# Of [N, C, H, W] and a mask; each is 0 where student and teacher are equal.
LOSSES = {
    name: getattr(functional, name)
    for name in (
        'pixel_kl', 'standardised_kl', 'channel_wise', 'dist', 'cosine_feature',
        'cosine_smooth_l1', 'fitnet', 'pkd', 'attention_transfer', 'pair_wise', 'self_similarity',
        'cross_image',
    )
}  # fmt: skip
sizes = st.tuples(st.integers(1, 2), st.integers(2, 5), st.integers(2, 6), st.integers(2, 6))


@st.composite
def maps(draw):
    """Student, teacher and which pixels count; the numbers may be as large as 10,000."""
    shape, scale = draw(sizes), draw(st.sampled_from([1e-3, 1.0, 30.0, 1e4]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    student, teacher = (torch.from_numpy(rng.normal(size=(2, *shape)) * scale)).float()
    valid = draw(arrays(bool, (shape[0], *shape[2:])))
    return student, teacher, torch.from_numpy(valid)


@pytest.mark.parametrize('name', LOSSES)
@few(max_examples=6)
@given(maps())
def test_a_loss_is_finite_and_zero_where_both_are_equal(name, drawn):
    student, teacher, valid = drawn
    student.requires_grad_()
    value = LOSSES[name](student, teacher, valid)
    value.backward()
    assert value.isfinite()
    assert student.grad.isfinite().all()
    assert value >= -1e-5
    equal = LOSSES[name](teacher.clone(), teacher, valid).item()
    assert equal == pytest.approx(0, abs=1e-4 * (1 + min(teacher.abs().max().item(), 10)))


@pytest.mark.parametrize('name', LOSSES)
@few(max_examples=4)
@given(maps(), st.sampled_from([0.0, 1e30, float('nan'), float('inf')]))
def test_void_has_no_influence(name, drawn, other):
    student, teacher, valid = drawn
    changed = [torch.where(valid[:, None], x, torch.tensor(other)) for x in (student, teacher)]
    one, two = LOSSES[name](student, teacher, valid), LOSSES[name](*changed, valid)
    assert torch.equal(one, two)


@few(max_examples=20)
@given(st.permutations(list('abcdef')), st.integers(2, 5), st.integers(0, 2**32))
def test_a_class_map_pairs_names_whatever_their_order(teacher, count, seed):
    student = [*'abcdef'][:count] + ['own']
    classes = ClassMap(student, teacher, {'own': []}, ALL_OTHERS)
    logits = torch.randn(1, 6, 3, 3, generator=torch.Generator().manual_seed(seed))
    own = torch.randn(1, count + 1, 3, 3)
    ids = torch.arange(9).view(1, 3, 3) % (count + 1)
    kept, merged, labels = classes(own, logits, ids)
    wanted = logits[:, [teacher.index(name) for name in student[:count]]]
    torch.testing.assert_close(merged, wanted)
    torch.testing.assert_close(kept, own[:, :count])
    assert set(labels.unique().tolist()) <= {*range(count), VOID}


@few(max_examples=25)
@given(
    st.integers(2, 300), st.integers(1, 6), st.sampled_from([0.1, 5.0, 1e5]), st.integers(0, 2**32)
)
def test_packed_logits_are_within_a_bound(channels, top, scale, seed):
    draw = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(channels, 2, 3, generator=draw)
    held = logits.clamp(-6e4, 6e4)
    bound = held.abs() / 1024 + 1e-4  # of float16
    assert ((unpack(pack(logits, FLOAT16), channels).float() - held).abs() <= bound).all()
    eight_bits = unpack(pack(logits, EIGHT_BITS), channels).float()
    step = held.abs().amax((1, 2), keepdim=True) / 127  # of a channel
    assert ((eight_bits - held).abs() <= step / 2 + bound).all()
    top = min(top, channels - 1)
    stored = unpack(pack(logits, top), channels).float()
    values, ids = held.topk(top, 0)
    assert ((stored.gather(0, ids) - values).abs() <= values.abs() / 1024 + 1e-4).all()
    assert stored.isfinite().all()


@few(max_examples=25)
@given(
    st.integers(8, 40), st.integers(8, 40), st.floats(0.5, 2), st.floats(-5, 20),
    st.floats(-5, 20), st.booleans(),
)  # fmt: skip
def test_a_crop_of_a_map_lies_where_its_affine_says(height, width, scale, left, top, flipped):
    y, x = np.mgrid[:height, :width]
    whole = torch.from_numpy(np.stack([x, y])).float()
    size = 12, 10
    affine = np.array([[-scale if flipped else scale, 0, left], [0, scale, top]])
    found = crop_map(whole, (height, width), affine, size, size)
    columns = np.clip(affine[0, 0] * np.arange(size[1]) + left, 0, width - 1)
    rows = np.clip(scale * np.arange(size[0]) + top, 0, height - 1)
    np.testing.assert_allclose(found[0], np.tile(columns, (size[0], 1)), atol=1e-2)
    np.testing.assert_allclose(found[1], np.tile(rows[:, None], (1, size[1])), atol=1e-2)


ids = arrays(
    np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, 255)
)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, 'PNG')
    return file.getvalue()


@few(max_examples=25)
@given(ids, st.integers(1, 254), st.booleans())
def test_a_mask_is_read_as_it_is_or_refused(pixels, count, wide):
    stored = png(pixels.astype(np.uint16) if wide else pixels)
    if ((pixels < count) | (pixels == VOID)).all():
        assert read_mask('a.png', stored, count).tolist() == pixels.tolist()
    else:
        with pytest.raises(SampleError, match=r'a\.png: found the ids'):
            read_mask('a.png', stored, count)


@few(max_examples=25)
@given(ids, st.integers(0, 200), st.binary(max_size=8))
def test_a_damaged_mask_is_read_or_named(pixels, at, noise):
    content = png(pixels)
    assume(at < len(content))
    damaged = content[:at] + noise + content[at + len(noise) :]
    try:
        assert read_mask('a.png', damaged).dtype == np.uint8
    except SampleError as error:
        assert str(error).startswith('a.png: found')
