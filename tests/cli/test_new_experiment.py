"""tools/new_experiment.py, run as a user runs it; what it writes trains."""

import shutil

import numpy as np
import pytest
from mmseg.registry import DATASETS
from PIL import Image

from segkd_mm.config import load_config
from segkd_mm.scaffold.fitting_student import Timed

CLASSES = ['background', 'disc', 'square', 'triangle', 'star', 'ring', 'cross', 'crescent']


@pytest.fixture
def folders(shapes, tmp_path):
    """Images and masks of the shapes, and a folder of images without masks."""
    for kind, source in (('images', 'JPEGImages'), ('masks', 'SegmentationClass')):
        shutil.copytree(shapes / source, tmp_path / kind)
    (tmp_path / 'more').mkdir()
    for file in sorted((tmp_path / 'images').glob('*.jpg'))[:8]:
        shutil.move(file, tmp_path / 'more')
        (tmp_path / 'masks' / f'{file.stem}.png').unlink()
    return tmp_path


def make(script, folders, *words):
    done = script('tools/new_experiment.py', '--images', 'images', '--masks', 'masks',
                  '--out', 'mine.py', *words, cwd=folders)  # fmt: skip
    return done, folders / 'mine.py'


def test_a_plain_student(script, folders):
    done, config = make(script, folders, '--classes', *CLASSES)
    assert done.returncode == 0, done.stderr
    assert len(config.read_text().splitlines()) <= 45
    assert '10 training and 2 validation images' in done.stdout
    assert 'tools/train.py mine.py' in done.stdout
    assert load_config(config).model.decode_head.num_classes == 8


def test_where_a_teacher_gained_nothing_that_is_said(script, folders, teacher_file):
    words = ['--classes', *CLASSES, '--teacher', 'teacher/mnv3s_wide_shapes.py', teacher_file]
    done, config = make(script, folders, *words)
    assert 'All images have masks.' in done.stdout
    config.unlink()
    done, _ = make(script, folders, *words, '--unlabelled', 'more')
    assert done.returncode == 0 and 'All images have masks.' not in done.stdout


def test_a_trunk_that_wants_another_normalisation_gets_it(script, folders):
    _, config = make(script, folders, '--classes', *CLASSES, '--student', 'lite0_slim')
    assert load_config(config).model.data_preprocessor.mean == [127.5, 127.5, 127.5]


@pytest.mark.slow
def test_a_distilled_student_of_few_labels_is_cached_and_trained(script, folders, teacher_file):
    words = ['--classes', *CLASSES, '--unlabelled', 'more', '--epochs', 1]
    teacher = ['--teacher', 'teacher/mnv3s_wide_shapes.py', teacher_file]
    done, config = make(script, folders, *words, *teacher)
    assert done.returncode == 0, done.stderr
    assert len(config.read_text().splitlines()) <= 45
    done = script('tools/cache_teacher.py', config, '--workers', 0, cwd=folders)
    assert done.returncode == 0, done.stderr
    loader = {'batch_size': 4, 'sampler.batch_size': 4, 'sampler.labelled_per_batch': 2}
    quick = [f'train_dataloader.{key}={value}' for key, value in loader.items()]
    for split in ('train', 'val'):
        quick += [f'{split}_dataloader.num_workers=0', f'{split}_dataloader.persistent_workers=0']
    quick.append('model.student.backbone.weights=None')
    done = script('tools/train.py', config, '--cfg-options', *quick, cwd=folders)
    assert done.returncode == 0, done.stderr
    assert (folders / 'work_dirs/mine/best.pth').exists()


def test_a_student_is_chosen_by_its_latency(script, folders, monkeypatch):
    times = [Timed('mnv3s_nano', 1000, 8.0, False), Timed('mnv3s_slim', 2000, 15.0, False)]
    asked = []
    monkeypatch.setattr(
        'segkd_mm.cli.new_experiment.measure_students', lambda *words: asked.append(words) or times
    )
    words = ['--classes', *CLASSES, '--size', 256, 320, '--device', 'cpu']
    make(script, folders, *words, '--latency-ms', 5, '--teacher', 'torchvision://none')
    assert not asked  # what is wrong is said before minutes of measuring
    done, config = make(script, folders, *words, '--latency-ms', 5)
    assert done.returncode == 1 and not config.exists()
    assert 'No student is as fast as 5 ms; the fastest is mnv3s_nano with 8.0 ms' in done.stderr
    done, config = make(script, folders, *words, '--latency-ms', 10)
    assert asked[-1] == (10.0, (256, 320), 8, 'cpu', 'torch')
    assert 'camvid/nano_pretrained_camvid' in done.stdout
    assert load_config(config).model.decode_head.separable_aspp
    assert len(load_config(config).model.decode_head.in_channels) == 2  # nano


def test_what_is_missing_is_an_error_and_nothing_is_written(script, folders):
    (folders / 'masks' / 'val_00000.png').unlink()
    done, config = make(script, folders, '--classes', *CLASSES)
    assert '1 of 12 images in images have no mask in masks, such as val_00000.jpg' in done.stderr
    assert not config.exists()
    done, config = make(script, folders, '--classes', *CLASSES, '--unlabelled', 'more')
    assert '--unlabelled images alone leaves out the images without a mask' in done.stderr
    assert not config.exists()


def test_an_image_or_mask_that_its_loader_would_refuse_is_an_error(script, folders):
    mask = folders / 'masks' / 'val_00000.png'
    with Image.open(mask) as whole:
        whole.crop((0, 0, 40, 50)).save(mask)
    done, config = make(script, folders)
    assert f'masks/{mask.name}: found 40 x 50 pixels, expected' in done.stderr
    first = min((folders / 'images').glob('*.jpg'))
    deep = np.full((80, 90), 4000, np.uint16)
    Image.fromarray(deep).save(first.with_suffix('.png'))
    first.unlink()
    done, config = make(script, folders)
    assert 'found pixels of uint16, up to 4000, expected three channels of 8 bits' in done.stderr
    assert not config.exists()


def test_without_a_teacher_the_images_without_a_mask_can_be_left_out(script, folders):
    (folders / 'masks' / 'val_00000.png').unlink()
    done, config = make(script, folders, '--classes', *CLASSES, '--unlabelled', 'images')
    assert '9 training and 2 validation images' in done.stdout
    assert 'Images without a mask are left out' in done.stdout
    loaders = load_config(config)
    for loader, count in ((loaders.train_dataloader, 9), (loaders.val_dataloader, 2)):
        assert 'FewLabels' not in loader.sampler.type
        loader.dataset.update(images=str(folders / 'images'), masks=str(folders / 'masks'))
        assert len(DATASETS.build(loader.dataset)) == count


def test_masks_of_smooth_colours_are_an_error(script, folders):
    for file in (folders / 'masks').glob('*.png'):
        image = Image.open(folders / 'images' / f'{file.stem}.jpg')
        image.save(file)
    done, _ = make(script, folders)
    assert 'holds masks of more than 300 values' in done.stderr
