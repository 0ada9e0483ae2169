"""A teacher's cache, from the images on the disk to the loss of a student's crop."""

import os
import shutil
from copy import deepcopy
from math import exp, log

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner
from mmseg.registry import DATASETS, MODELS
from safetensors.torch import load_file, save_file

from segkd_mm.datasets import ReplayIndex
from segkd_mm.distill import TapError
from segkd_mm.doctor import Experiment, check_accuracy
from segkd_mm.whole_image import CachedTeacher, CacheError, TeacherCache, store
from segkd_mm.whole_image import builder as builder_module
from segkd_mm.whole_image.builder import TeacherCacheBuilder
from segkd_mm.whole_image.packing import (
    EIGHT_BITS,
    FLOAT16,
    IDS,
    Storage,
    choose_feature_packing,
    choose_top,
    pack,
    unpack,
)

pytestmark = pytest.mark.slow

TAP, FEATURE = 'decode_head.conv_seg', 'backbone.high'
LOAD = [{'type': 'SeedAugmentation'}, {'type': 'LoadImageFromFile'}]


def fill(config, packing=FLOAT16, predict=None, channels=8):
    """Build the whole cache of a config, of its teacher or of what ``predict`` makes of images."""
    built = TeacherCacheBuilder(config)
    built.predict = predict or built.predict
    taps = {TAP: Storage(channels, packing, built.stride)}
    for _ in built.build(built.shards(), taps):
        pass
    built.finish()
    return built


@pytest.fixture
def cached(tiny, nest, tmp_path):
    """Make a small config with a cached teacher: ``cached('run', stride=4)``."""

    def make(run='run', **teacher):
        config = tiny('kd/response_kd_shapes.py', run)
        folder = str(tmp_path / 'cache')
        nest(config, 'CachedTeacher', cache=folder, **teacher)
        config.train_dataloader.dataset = ConfigDict(
            type='WithTeacherCache', cache=folder, dataset=config.train_dataloader.dataset
        )
        return config

    return make


def first_batch(config, count=4):
    dataset = DATASETS.build(config.train_dataloader.dataset)
    return pseudo_collate([dataset[ReplayIndex(n, (0, 0, n))] for n in range(count)])


def test_of_an_ensemble_the_mean_that_a_term_learns_from_is_scored(cached, join):
    config = join(cached())
    built = TeacherCacheBuilder(config)
    item = built.images[0]
    a, b = (built.maps(item)[f'{name}.{TAP}'] for name in 'ab')
    mean = (0.75 * a.softmax(1) + 0.25 * b.softmax(1)).log()
    size = item['labels'].shape
    predicted = F.interpolate(mean, size, mode='bilinear')[0].argmax(0)
    pairs = 8 * item['labels'].long() + predicted
    expected = torch.bincount(pairs[item['labels'] < 8], minlength=64).view(8, 8)
    found = built.confusion(built.maps(item), item['labels'])
    assert np.array_equal(found, expected)
    config.model.terms.logits.teacher = f'a.{TAP}'
    alone = TeacherCacheBuilder(config)
    assert not np.array_equal(found, alone.confusion(alone.maps(item), item['labels']))


# The logits lie where the pixels lie.

HEIGHT, WIDTH = 120, 200
RESIZE = {'type': 'RandomResize', 'scale': (200, 120), 'ratio_range': (0.6, 2.0),
          'keep_ratio': True}  # fmt: skip
CROP = {'type': 'RandomCrop', 'crop_size': (72, 96)}
FLIP = {'type': 'RandomFlip', 'prob': [0.3, 0.3, 0.3],
        'direction': ['horizontal', 'vertical', 'diagonal']}  # fmt: skip
ROTATE = {'type': 'RandomRotate', 'prob': 1.0, 'degree': 30}
PIPELINES = {
    'none': [], 'resize': [RESIZE], 'crop': [CROP], 'flip': [FLIP], 'rotate': [ROTATE],
    'all': [RESIZE, CROP, ROTATE, FLIP],
}  # fmt: skip


@pytest.fixture
def mapped(cached, tmp_path):
    """A config whose images are maps: blue is the column, green the row, red that there is one."""
    folder = tmp_path / 'maps'
    folder.mkdir()
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for name in ('a', 'b', 'c'):
        cv2.imwrite(f'{folder}/{name}.png', np.stack([x, y, np.full_like(x, 255)], -1))

    def make(augment, **teacher):
        config = cached(**teacher)
        config.train_dataloader.dataset.dataset = ConfigDict(
            type='BaseSegDataset', data_prefix={'img_path': str(folder)}, img_suffix='.png',
            metainfo={'classes': ('one', 'two')},
            pipeline=[*LOAD, *deepcopy(augment), {'type': 'PackSegInputs'}],
        )  # fmt: skip
        return config

    return make


def places(images):
    """Logits that are places: columns and rows of the image at its stride, 4."""
    x = torch.arange(WIDTH).expand(HEIGHT, WIDTH)
    y = torch.arange(HEIGHT)[:, None].expand(HEIGHT, WIDTH)
    assert images.shape[2:] == (HEIGHT, WIDTH)
    return {TAP: F.avg_pool2d(torch.stack([x, y])[None].float(), 4)}


@pytest.mark.parametrize(('case', 'stride'), [*((case, 8) for case in PIPELINES), ('all', 4)])
def test_the_cut_logits_lie_where_the_pixels_lie(mapped, case, stride):
    config = mapped(PIPELINES[case], stride=stride)
    fill(config, predict=places, channels=2)
    teacher = MODELS.build(config.model.teacher)
    teacher.prepare({TAP}, None)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    batch = pseudo_collate([dataset[ReplayIndex(n % 3, (0, 0, n))] for n in range(12)])
    # The batch is padded, as preprocessors do.
    side = [max(image.shape[d] for image in batch['inputs']) for d in (1, 2)]
    side = [-(-length // 8) * 8 for length in side]
    images = torch.stack([
        F.pad(image.float(), (0, side[1] - image.shape[2], 0, side[0] - image.shape[1]))
        for image in batch['inputs']
    ])  # fmt: skip
    said = teacher(images, None, batch['data_samples'])[TAP]
    assert said.shape == (12, 2, side[0] // stride, side[1] // stride)

    shown = F.avg_pool2d(images, stride)
    within = F.avg_pool2d((images[:, 2:] == 255).float(), stride) == 1
    for axis, length in enumerate((WIDTH, HEIGHT)):
        # Between the last centres of cells and the edge of the image, logits go on unchanged.
        within &= (shown[:, axis : axis + 1] > stride) & (
            shown[:, axis : axis + 1] < length - stride
        )
    apart = (said - shown[:, :2]).abs().amax(1, keepdim=True)[within]
    assert apart.numel() > 500
    # Pixels are bytes, rounded by each resize and rotation, and float16 has steps of 1/8.
    assert apart.max() < 0.75
    # OpenCV's resize of bytes rounds down by 1/8 on the mean; of floats see test_crop_to_image.py.
    signed = (said - shown[:, :2]).transpose(0, 1)[:, within[:, 0]]
    assert signed.mean(1).abs().max() < 0.2


# What it says is what the teacher says.


def test_without_augmentation_the_losses_are_those_of_the_teacher_online(cached, tiny):
    config, online = cached(stride=4, precision='fp32'), tiny('kd/response_kd_shapes.py')
    for one in (config.train_dataloader.dataset.dataset, online.train_dataloader.dataset):
        one.pipeline = [*LOAD, {'type': 'LoadAnnotations'}, {'type': 'PackSegInputs'}]
    fill(config)
    losses = []
    for one in (config, online):
        torch.manual_seed(0)
        model = MODELS.build(one.model).train()
        data = model.data_preprocessor(first_batch(one), True)
        torch.manual_seed(0)
        losses.append({key: x.item() for key, x in model(**data, mode='loss').items()})
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)
    assert losses[0]['decode.loss_ce'] == losses[1]['decode.loss_ce']


def test_logits_that_are_coarser_than_the_stride_are_kept_as_they_are(cached):
    config = cached(stride=2)
    builder = fill(config)
    image = builder.images[0]
    path, size = builder.images.paths[0], tuple(image['image'].shape[1:])
    cache = TeacherCache(config.model.teacher.cache)
    cache.check_images([path], builder.images.loader)
    expected = builder.predict(image['image'][None].float())[TAP][0].float()
    assert max(expected.shape[1:]) < max(size) // 2
    torch.testing.assert_close(cache.read(path, size)[TAP].float(), expected, rtol=1e-2, atol=1e-2)


def test_a_teacher_gives_the_trial_zeros_of_its_channels_and_refuses_other_samples(cached):
    config = cached()
    fill(config)
    teacher = MODELS.build(config.model).teacher
    images = torch.zeros(2, 3, 96, 100)
    assert teacher(images)[TAP].shape == (2, 8, 12, 13)
    assert not [*teacher.parameters()]
    config.train_dataloader.dataset = config.train_dataloader.dataset.dataset
    with pytest.raises(
        ValueError, match=r"wrap the training data in dict\(type='WithTeacherCache'"
    ):
        teacher(images, None, first_batch(config)['data_samples'])


def test_samples_of_another_cache_are_an_error(cached, tmp_path):
    config = cached()
    fill(config)
    shutil.copytree(tmp_path / 'cache', tmp_path / 'other')
    config.train_dataloader.dataset.cache = str(tmp_path / 'other')
    model = MODELS.build(config.model)
    with pytest.raises(ValueError, match=r'come from the teacher cache .*other, the teacher has'):
        model.teacher(torch.zeros(4, 3, 96, 96), None, first_batch(config)['data_samples'])


def train(config):
    runner = Runner.from_cfg(config)
    runner.train()
    return runner.model.state_dict()


def test_law_5_with_workers_too_stopped_and_resumed_is_the_same_to_the_bit(cached):
    def short(run):
        made = cached(run)
        made.train_dataloader.dataset.dataset.indices = 8
        return made

    fill(short('run'), packing=3)
    config = short('straight')
    straight = train(config)
    resumed = short('resumed')
    resumed.train_dataloader.update(num_workers=2, persistent_workers=True)
    resumed.update(resume=True, load_from=f'{config.work_dir}/epoch_1.pth')
    resumed = train(resumed)
    assert [key for key in straight if not torch.equal(straight[key], resumed[key])] == []


# What is stored.


def test_the_largest_logits_and_the_mass_of_the_others_are_kept():
    logits = torch.tensor([0.0, 3.0, 1.0, 2.0, 1.5]).view(5, 1, 1)
    packed = pack(logits, 2)
    assert packed[IDS].flatten().tolist() == [1, 3]
    rest = torch.tensor([0.0, 1.0, 1.5]).exp().sum()
    back = unpack(packed, 5).flatten()
    expected = [(rest / 3).log(), 3, (rest / 3).log(), 2, (rest / 3).log()]
    assert back.tolist() == pytest.approx([float(x) for x in expected], abs=2e-3)


def test_the_fewest_logits_within_the_error_are_chosen():
    sure = torch.zeros(20, 4, 4)
    sure[7], sure[3] = 20, 15
    assert choose_top([sure], 1e-3)[0] == 2
    assert choose_top([sure], 0.1)[0] == 1
    packing, error = choose_top([3 * torch.randn(20, 8, 8)], 1e-6)
    assert packing == FLOAT16 and error < 1e-5


def test_the_error_is_the_divergence_of_what_is_stored():
    logits = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -1.0, -1.0, -1.0]).view(8, 1, 1)
    top, error = choose_top([logits], 0.5)
    p = logits.double().flatten().softmax(0)
    rest = (1 - p[0]) / 7
    assert top == 1
    assert error == pytest.approx((p[1:] * (p[1:] / rest).log()).sum().item(), rel=1e-2)


def test_the_error_of_one_logit_is_that_of_its_sigmoid():
    # Rounded in float16 to a multiple of 1/128 between 8 and 16: p = sigmoid(10 + 1/256).
    logits = torch.tensor([10 + 1 / 256]).view(1, 1, 1)
    p, q = (1 / (1 + exp(-x)) for x in (10 + 1 / 256, 10.0))
    packing, error = choose_top([logits], 1.0)
    assert packing == FLOAT16
    assert error == pytest.approx(p * log(p / q) + (1 - p) * log((1 - p) / (1 - q)), rel=1e-3)
    assert unpack(pack(logits, FLOAT16), 1).item() == 10


def test_logits_beyond_half_precision_stay_finite():
    assert pack(torch.tensor([1e6, -1e6]).view(2, 1, 1), FLOAT16)[''].isfinite().all()


def test_features_are_stored_in_eight_bits_of_each_channel_where_that_is_within_the_error():
    # By hand: scales 2 and 0.5, so that 254, 3 and -63.5 are 127, 1.5 (to 2) and -127.
    features = torch.tensor([[[254.0, 3.0]], [[-63.5, 0.25]]])
    back = unpack(pack(features, EIGHT_BITS), 2)
    assert back.tolist() == [[[254, 4]], [[-63.5, 0]]]
    # Of the second cell the vector (3, 0.25) is off by (1, -0.25).
    error = ((1 + 0.25**2) / (9 + 0.25**2)) ** 0.5 / 2
    assert choose_feature_packing([features], 0.2) == (EIGHT_BITS, pytest.approx(error))
    assert choose_feature_packing([features], 0.1) == (FLOAT16, 0)


# Features beside logits.


@pytest.fixture
def with_features(cached):
    """A config whose terms learn from logits and from features."""

    def make(**teacher):
        config = cached(precision='fp32', **teacher)
        loss = {'type': 'CosineFeatureLoss', 'loss_weight': 1.0}
        config.model.terms.high = {
            'student': 'backbone.high', 'teacher': FEATURE, 'adapter': 'auto', 'loss': loss
        }  # fmt: skip
        return config

    return make


def test_features_come_at_their_own_stride_as_the_live_teacher_gives_them(with_features, nest):
    config = with_features(view={'flip': True})
    builder = TeacherCacheBuilder(config)
    chosen = builder.choose_storage(max_kl=1e-3, max_error=0.02)
    logits, features = (chosen[tap].storage for tap in (TAP, FEATURE))
    assert (logits.stride, features.packing, features.stride) == (8, EIGHT_BITS, 16)
    assert [chosen[tap].is_logits for tap in (TAP, FEATURE)] == [True, False]
    for _ in builder.build(builder.shards(), {TAP: logits, FEATURE: features}):
        pass
    assert np.sum(builder.finish()['confusion']) > 0
    batch = first_batch(config)
    images = torch.zeros(4, 3, 96, 96)
    said = MODELS.build(config.model).teacher(images, None, batch['data_samples'])
    assert said[FEATURE].shape == (4, features.channels, 6, 6)

    live = nest(config, 'WholeImageTeacher', stride=16, view={'flip': True})
    live.train_dataloader.dataset.update(type='WithWholeImage')
    live.train_dataloader.dataset.pop('cache')
    teacher = MODELS.build(live.model).teacher
    expected = teacher(images, None, first_batch(live)['data_samples'])[FEATURE]
    error = (said[FEATURE] - expected).norm(dim=1) / expected.norm(dim=1)
    assert 0 < error.mean() < 0.02


def test_a_config_of_fewer_terms_takes_the_cache_and_one_of_more_does_not(with_features, cached):
    config, fewer = with_features(), cached(precision='fp32')
    builder = TeacherCacheBuilder(fewer)
    stored = {TAP: Storage(8, FLOAT16, 8), FEATURE: Storage(1024, EIGHT_BITS, 16)}
    assert len([*builder.build(builder.shards(), {TAP: stored[TAP]})]) == len(builder.images)
    builder.finish()
    with pytest.raises(TapError, match=f"'{FEATURE}': the teacher cache .* holds '{TAP}' alone"):
        MODELS.build(config.model)
    builder = TeacherCacheBuilder(config)
    with pytest.raises(CacheError, match=r'taps: .* in the cache, .*backbone\.high'):
        builder.metadata(builder.shards()[0])
    shutil.rmtree(builder.folder)
    assert len([*builder.build(builder.shards(), stored)]) == len(builder.images)
    builder.finish()
    again = TeacherCacheBuilder(fewer)
    assert again.taps == [FEATURE, TAP] and None not in map(again.metadata, again.shards())
    assert [*MODELS.build(fewer.model).teacher(torch.zeros(1, 3, 96, 96))] == [TAP]


def test_features_of_as_many_channels_as_classes_are_no_logits(with_features):
    config = with_features()
    builder = TeacherCacheBuilder(config)
    features = builder.maps(builder.images[0])[FEATURE][:, :8]
    logits = builder.predict
    builder.predict = lambda x: {TAP: logits(x)[TAP], FEATURE: features}
    chosen = builder.choose_storage(max_kl=1e-3, max_error=0.02)
    assert chosen[FEATURE].storage == Storage(8, EIGHT_BITS, 16) and chosen[TAP].is_logits


def test_features_that_are_damaged_or_not_finite_are_errors(with_features, tmp_path):
    builder = TeacherCacheBuilder(with_features())
    stored = {TAP: Storage(8, FLOAT16, 8), FEATURE: Storage(1024, EIGHT_BITS, 16)}
    assert [*builder.build(builder.shards(), stored)]
    builder.finish()
    (file,) = (tmp_path / 'cache').glob('shard_*')
    whole = load_file(file)
    key = next(key for key in whole if key.startswith(FEATURE) and key.endswith('/scale'))
    path, size = builder.images.paths[0], (160, 160)
    for found, scale in (('scales from -', -whole[key]), ('scales float64', whole[key].double())):
        save_file({**whole, key: scale}, file)
        store._open.cache_clear()
        cache = TeacherCache(tmp_path / 'cache')
        cache.check_images([path], builder.images.loader)
        with pytest.raises(CacheError, match=rf'shard_00000.*{FEATURE}: found .*{found}'):
            cache.read(path, size)
    builder.predict = lambda x: {TAP: torch.full((1, 8, 4, 4), torch.inf)}
    with pytest.raises(CacheError, match=r"jpg: the teacher gives NaN or infinity at tap 'decode"):
        builder.choose_storage(1e-3, 0.02)


# It is made in pieces, and bound to what it was made from.


def test_a_cache_that_was_cut_off_goes_on_and_is_the_same(cached, monkeypatch, tmp_path):
    monkeypatch.setattr(builder_module, 'SHARD', 2)
    config = cached()
    config.train_dataloader.dataset.dataset.indices = 8
    whole = fill(config)
    kept = [whole.images.paths[n] for n in (0, 3, 7)]

    def content():
        cache = TeacherCache(tmp_path / 'cache')
        cache.check_images(whole.images.paths, whole.images.loader)
        return [cache.read(path, (160, 160))[TAP] for path in kept]

    expected = content()
    shutil.rmtree(tmp_path / 'cache')
    caching_again = TeacherCacheBuilder(config)
    taps = {TAP: Storage(8, FLOAT16, 8)}
    seen = caching_again.build(caching_again.shards(), taps)
    for _ in range(3):
        next(seen)
    seen.close()
    maker = TeacherCacheBuilder(config)
    found = [maker.metadata(shard) for shard in maker.shards()]
    assert [said is not None for said in found] == [True, False, False, False]
    with pytest.raises(RuntimeError, match='3 shards are missing'):
        maker.finish()
    with pytest.raises(CacheError, match=r'does not exist.*tools/cache_teacher.py'):
        TeacherCache(tmp_path / 'cache')
    assert len([*maker.build(maker.shards()[1:], taps)]) == 6
    index = maker.finish()
    assert all(torch.equal(a, b) for a, b in zip(content(), expected, strict=True))
    assert np.sum(index['confusion']) > 0


def test_a_foreign_cache_is_an_error_that_says_what_differs(cached, teacher_file, tmp_path):
    fill(cached())
    state, other = torch.load(teacher_file), str(tmp_path / 'other.pth')
    state[f'{TAP}.bias'][0] += 1e-3
    torch.save(state, other)
    cases = {
        'view.flip: False in the cache, True now': {'view': {'flip': True}},
        'stride: 8 in the cache, 4 now': {'stride': 4},
        'teacher.size_divisor: 1 in the cache, 14 now': {'teacher': {'size_divisor': 14}},
        'teacher.model.decode_head.channels: 256': {
            'teacher': {'model': {'decode_head': {'channels': 64}}}
        },
        'weights: ': {'teacher': {'checkpoint': other}},
    }
    for message, change in cases.items():
        config = cached()
        config.merge_from_dict({'model': {'teacher': change}})
        with pytest.raises(CacheError, match=f'{message}(.|\n)*tools/cache_teacher.py'):
            MODELS.build(config.model)
    builder = TeacherCacheBuilder(config)
    with pytest.raises(CacheError, match='weights: '):
        builder.metadata(builder.shards()[0])


def test_the_same_weights_in_another_file_and_other_options_of_speed_are_the_same(
    cached, teacher_file, tmp_path
):
    fill(cached())
    torch.save({'state_dict': torch.load(teacher_file), 'meta': {}}, tmp_path / 'copy.pth')
    config = cached(channels_last=True)
    config.model.teacher.teacher.checkpoint = str(tmp_path / 'copy.pth')
    assert isinstance(MODELS.build(config.model).teacher, CachedTeacher)


def test_an_image_that_changed_is_an_error_and_one_that_was_touched_is_not(mapped, tmp_path):
    config = mapped([CROP])
    maker = fill(config, predict=places, channels=2)
    image = tmp_path / 'maps' / 'b.png'
    os.utime(image, ns=(1, 1))
    DATASETS.build(config.train_dataloader.dataset)

    content = bytearray(image.read_bytes())
    content[-20] ^= 1
    image.write_bytes(content)
    with pytest.raises(CacheError, match=r'1 of 3 have changed since, the first .*b\.png'):
        DATASETS.build(config.train_dataloader.dataset)
    assert maker.metadata(maker.shards()[0]) is None

    image.rename(tmp_path / 'maps' / 'd.png')
    with pytest.raises(CacheError, match=r'1 of 3 are not in it, the first .*d\.png'):
        DATASETS.build(config.train_dataloader.dataset)


def test_a_data_set_may_move(mapped, tmp_path):
    config = mapped([CROP])
    fill(config, predict=places, channels=2)
    (tmp_path / 'maps').rename(tmp_path / 'moved')
    config.train_dataloader.dataset.dataset.data_prefix.img_path = str(tmp_path / 'moved')
    assert len(DATASETS.build(config.train_dataloader.dataset)) == 3


def test_images_that_are_loaded_in_another_way_are_an_error(mapped):
    config = mapped([CROP])
    fill(config, predict=places, channels=2)
    config.train_dataloader.dataset.dataset.pipeline[1].imdecode_backend = 'pillow'
    with pytest.raises(CacheError, match='loader: '):
        DATASETS.build(config.train_dataloader.dataset)


def test_names_that_do_not_fit_are_errors_at_build(cached):
    fill(cached())
    config = cached()
    config.model.terms.logits.teacher = 'decode_head.conv_sge'
    with pytest.raises(TapError, match=f"holds '{TAP}' alone"):
        MODELS.build(config.model)
    with pytest.raises(TypeError, match='flop'):
        MODELS.build(cached(view={'flop': True}).model)
    with pytest.raises(TypeError, match='input_scael'):
        MODELS.build(cached(input_scael=2).model)


def test_a_config_without_a_cache_is_refused(cached, tiny):
    with pytest.raises(ValueError, match='expected CachedTeacher and WithTeacherCache'):
        TeacherCacheBuilder(tiny('kd/response_kd_shapes.py'))
    config = cached()
    config.model.teacher.cache = 'elsewhere'
    with pytest.raises(ValueError, match='they must be the same'):
        TeacherCacheBuilder(config)


def test_the_doctor_measures_a_cached_teacher_on_the_crops_that_it_knows(cached):
    config = cached()
    fill(config)
    report = check_accuracy(Experiment(config), images=4)
    (row,) = [row for row in report.rows if row['who'].startswith('teacher')]
    assert row['on'] == 'training crops'
    (error,) = report.findings  # the teacher is a random one
    assert error.level == 'error' and error.text.startswith(row['who'])
