"""Pictures of samples as a user draws them, and what is in them."""

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from mmengine.config import Config
from mmseg.registry import DATASETS
from PIL import Image

from segkd_mm.cli import browse_dataset as browse
from segkd_mm.cli.browse_dataset import UNLABELLED_COLOUR, draw_sample
from segkd_mm.visualize.overlays import VOID_COLOUR, overlay
from segkd_mm.whole_image.builder import TeacherCacheBuilder
from segkd_mm.whole_image.packing import FLOAT16, Storage

TOOL = 'tools/browse_dataset.py'


def pixels(path):
    return (imread(path)[..., :3] * 255).round().astype(int)


def share(part, colour):
    return (part == colour).all(-1).mean()


def without_augmentation(config: Config, *more: dict) -> Config:
    """The config of the shapes with whole images for samples."""
    config.train_dataloader.dataset.pipeline = [
        dict(type='SeedAugmentation'), dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'), *more, dict(type='PackSegInputs'),
    ]  # fmt: skip
    return config


def test_samples_are_drawn_all_over_the_data_set(script, tiny, shapes, tmp_path):
    tiny('student/mnv3s_slim_shapes.py').dump(str(tmp_path / 'mine.py'))
    out = tmp_path / 'out'
    done = script(TOOL, tmp_path / 'mine.py', '--count', 3, '--out', out)
    drawn = sorted(path.name for path in out.iterdir())
    assert [name[:6] for name in drawn] == ['00000_', '00005_', '00010_']
    images = {path.stem for path in (shapes / 'JPEGImages').iterdir()}
    assert {name[6:-4] for name in drawn} <= images
    assert f'3 of 16 samples of train: {out}' in done.stdout
    assert f'tools/train.py {tmp_path}/mine.py' in done.stdout


def test_a_misspelled_type_in_a_pipeline_is_named(script, tiny, tmp_path):
    config = without_augmentation(tiny('student/mnv3s_slim_shapes.py'), dict(type='RandomFlipp'))
    config.dump(str(tmp_path / 'mine.py'))
    done = script(TOOL, tmp_path / 'mine.py')
    assert re.search(r"ShapesDataset: no transform .*'RandomFlip'", done.stderr)


def test_image_mask_and_overlay_are_those_of_the_sample(tiny, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(browse, 'image_grid', lambda path, **named: drawn.update(named))
    config = without_augmentation(tiny('student/mnv3s_slim_shapes.py'))
    dataset = DATASETS.build(config.train_dataloader.dataset)
    draw_sample(dataset, 2, tmp_path)
    files = dataset.get_data_info(2)
    expected = np.array(Image.open(files['img_path']).convert('RGB'))
    (image, mask, both) = drawn['rows'][0]
    assert drawn['columns'] == [Path(files['img_path']).name, 'mask', 'overlay']
    assert np.array_equal(image, expected)
    assert np.array_equal(mask, Image.open(files['seg_map_path']))
    assert np.array_equal(both, overlay(expected, mask, dataset.metainfo['palette']))


def test_void_and_unlabelled_have_colours_of_their_own_in_wrapped_data_sets(tiny, shapes, tmp_path):
    rotate = dict(type='RandomRotate', prob=1.0, degree=(45, 45))
    config = without_augmentation(tiny('student/mnv3s_slim_shapes.py'), rotate)
    unlabelled = dict(
        type='WithUnlabelled', images=str(shapes / 'JPEGImages'),
        labelled=dict(type='RepeatDataset', times=2, dataset=config.train_dataloader.dataset),
    )  # fmt: skip
    dataset = DATASETS.build(unlabelled)
    for index in (17, 40):  # of the repeated ones, and of those without labels
        draw_sample(dataset, index, tmp_path)
    (labelled,), (free,) = (tmp_path.glob(f'{index:05}_*.png') for index in (17, 40))
    assert share(pixels(labelled), UNLABELLED_COLOUR) == 0
    assert share(pixels(free), UNLABELLED_COLOUR) > 0.1
    for path in (labelled, free):  # the corners that the rotation leaves empty
        assert share(pixels(path), VOID_COLOUR) > 0.02


@pytest.mark.slow
def test_a_data_set_with_a_teacher_cache_is_drawn(tiny, tmp_path):
    config = tiny('kd/response_kd_shapes.py')
    cache = str(tmp_path / 'cache')
    config.model.teacher = dict(type='CachedTeacher', cache=cache, teacher=config.model.teacher)
    config.train_dataloader.dataset = dict(
        type='WithTeacherCache', cache=cache, dataset=config.train_dataloader.dataset
    )
    builder = TeacherCacheBuilder(config)
    stored = Storage(8, FLOAT16, 8)
    for _ in builder.build(builder.shards(), {'decode_head.conv_seg': stored}):
        pass
    builder.finish()
    draw_sample(DATASETS.build(config.train_dataloader.dataset), 1, tmp_path / 'out')
    assert len(list((tmp_path / 'out').glob('00001_*.png'))) == 1
