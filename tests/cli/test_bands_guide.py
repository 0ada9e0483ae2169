"""The config of docs/your_data.md for images that are not three channels of 8 bits, end to end."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmseg.registry import MODELS

import segkd_mm
from segkd_mm.cli.browse_dataset import draw_sample
from segkd_mm.config import load_config
from segkd_mm.datasets import SampleError
from segkd_mm.datasets.band_files import read_bands
from segkd_mm.deploy import load_runtime
from segkd_mm.deploy.images import benchmark_batch
from segkd_mm.doctor import Experiment, check_data
from segkd_mm.doctor.taps import check_taps
from segkd_mm.measure.candidate import Candidate, build_deployed, check_same_channels
from segkd_mm.visualize.label_maps import read_label_map
from segkd_mm.whole_image.builder import TeacherCacheBuilder
from segkd_mm.whole_image.cached_teacher import made_from

pytestmark = pytest.mark.slow

REPO = Path(__file__).parents[2]
SECTION = '## Grey, 16-bit and multi-band images'
BACKBONE = dict(type='TorchvisionTapBackbone', arch='mobilenet_v3_small', taps=('low', 'mid'))
HEAD = dict(type='FCNHead', in_channels=24, in_index=1, channels=8, num_convs=1)
TEACHER = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3, bgr_to_rgb=True
    ),
    backbone=BACKBONE,
    decode_head=dict(**HEAD, num_classes=3, norm_cfg=dict(type='BN')),
)
DISTILLED = """
_base_.student.backbone.update(weights=None, taps=('low', 'mid'))
_base_.student.decode_head.update(in_channels=[24, 16], in_index=[1, 0], skip_channels=(8,),
                                  channels=16, dilations=(2,))
model = dict(
    type='SegDistiller', student=_base_.student,
    teacher=dict(type='Teacher', model={model}, checkpoint='{checkpoint}', bands={bands},
                 pixel_scale=255 / 10000),
    terms=dict(logits=dict(student='decode_head.conv_seg', teacher='decode_head.conv_seg',
                           loss=dict(type='PixelKLLoss'))))
train_cfg = dict(max_epochs=1, val_interval=1)
train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
val_dataloader.update(num_workers=0, persistent_workers=False)
"""


def blocks():
    """The config "in five lines" and what the section puts at its end."""
    text = (REPO / 'docs/your_data.md').read_text()
    return [
        part.split('```python\n')[1].split('```')[0] for part in (text, text[text.index(SECTION) :])
    ]


def write_images(folder, channels, count=6):
    """16-bit images of up to 10,000: .npy of several bands, PNG of one."""
    rng = np.random.default_rng(0)
    for kind in ('images', 'masks'):
        (folder / kind).mkdir(parents=True)
    for number in range(count):
        ids = np.zeros((64, 96), np.uint8)
        ids[8:40, 8:40] = 1 + number % 2
        image = ids[..., None] * np.uint16(3000) + rng.integers(300, 4000, (64, 96, channels))
        if channels > 1:
            np.save(folder / f'images/{number}.npy', image.astype(np.uint16))
        else:
            cv2.imwrite(str(folder / f'images/{number}.png'), image.astype(np.uint16))
        cv2.imwrite(str(folder / f'masks/{number}.png'), ids)


@pytest.fixture(params=[4, 1], ids=['four bands', 'grey'])
def config(request, tmp_path):
    """The config file of the guide, of fewer channels, small, with a teacher of colours."""
    channels = request.param
    write_images(tmp_path / 'data', channels)
    torch.manual_seed(0)
    torch.save(MODELS.build(TEACHER).state_dict(), tmp_path / 'teacher.pth')
    text = '\n'.join(blocks()).replace("'data/mine", f"'{tmp_path}/data")
    text = text.replace('../configs', f'{REPO}/configs').replace('(256, 256)', '(64, 64)')
    text = text.replace('(2048, 320)', '(96, 64)')
    if channels == 1:
        text = text.replace('channels = 4', 'channels = 1')
        text = text.replace('mean = [1353.7, 1117.2, 1041.9, 946.55]', 'mean = [1100.0]')
        text = text.replace('std = [245.71, 333.0, 395.09, 594.2]', 'std = [600.0]')
    bands = (0, 1, 2) if channels > 1 else (0, 0, 0)
    text += DISTILLED.format(model=TEACHER, checkpoint=tmp_path / 'teacher.pth', bands=bands)
    file = tmp_path / 'mine.py'
    file.write_text(text)
    return file


@pytest.mark.parametrize('config', [4], indirect=True)
def test_such_images_train_test_export_and_predict(config, script, tmp_path):
    def call(tool, *words):
        done = script(f'tools/{tool}.py', *words, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    best, exported = tmp_path / 'work/best.pth', tmp_path / 'model.onnx'
    call('train', config, '--work-dir', tmp_path / 'work', '--cfg-options', 'param_scheduler.end=1')
    call('test', config, best, '--pictures', tmp_path / 'pictures')
    assert [*(tmp_path / 'pictures').glob('*.png')]
    # It writes nothing if labels differ.
    call('export', config, best, '--to', 'onnx', '--image-in', '--out', exported)
    call('predict', config, best, tmp_path / 'data/images', '--masks', '--out', tmp_path / 'found')
    masks = sorted((tmp_path / 'found/masks').glob('*.png'))
    images = sorted((tmp_path / 'data/images').iterdir())
    wanted = [read_label_map(mask) for mask in masks]
    alone = segkd_mm.load(exported)
    assert np.mean(np.array(alone.predict(images)) != wanted) < 1e-3  # ties
    assert np.array_equal(alone.predict(read_bands(images[0])), alone.predict(images[0]))
    runtime = load_runtime(exported)
    assert (runtime.channels, runtime.metadata['input_dtype']) == (4, 'float32')
    with pytest.raises(ValueError, match='takes images of 4 channels, found 3'):
        runtime(torch.zeros(1, 3, 64, 64))
    with pytest.raises(SampleError, match=r'found \[64, 96, 3\] of float64, expected \[H, W, '):
        alone.predict(np.zeros((64, 96, 3)))


def test_the_doctor_the_benchmark_and_the_browser_take_such_images(config, tmp_path):
    made = load_config(config)
    channels = made.model.student.backbone.in_channels
    experiment = Experiment(made)
    assert len(check_taps(experiment).rows) == 1
    # Each band of these images has a mean of about 2,900 and a std of 2,080.
    for right in (False, True):
        if right:
            made.model.student.data_preprocessor.update(
                mean=[3000.0] * channels, std=[1000.0] * channels
            )
        warnings = [f.text for f in check_data(experiment).findings if f.level == 'warning']
        assert [text[:7] for text in warnings] == [
            f'Band {i}:' for i in range(channels) if not right
        ]
    images = benchmark_batch(None, (64, 96), channels=channels)
    candidate = Candidate.from_model(build_deployed(made.model.student, images.device), images)
    labels = {way: run() for way, run in candidate.runs.items() if way != 'logits'}
    assert torch.equal(labels['labels'], labels['mmseg'])
    with pytest.raises(ValueError, match=r'different numbers of channels .a: 4, b: 3'):
        check_same_channels({'a': 4, 'b': 3})
    draw_sample(experiment.dataset('train'), 0, tmp_path / 'samples')
    assert len([*(tmp_path / 'samples').iterdir()]) == 1


@pytest.mark.parametrize('config', [4], indirect=True)
def test_cached_and_live_teachers_of_whole_images_take_their_bands(config, tmp_path):
    made = load_config(config)
    teacher, dataset = {**made.model.teacher, 'precision': 'fp32'}, made.train_dataloader.dataset
    made.model.teacher = dict(
        type='CachedTeacher', cache=str(tmp_path / 'cache'), teacher=teacher, stride=8
    )
    made.train_dataloader.dataset = dict(
        type='WithTeacherCache', cache=str(tmp_path / 'cache'), dataset=dataset
    )
    builder = TeacherCacheBuilder(made)
    taps = {tap: one.storage for tap, one in builder.choose_storage(1e-3, 0.02).items()}
    assert len([*builder.build(builder.shards(), taps)]) == len(builder.images) > 1
    builder.finish()
    assert builder.made_from['teacher']['bands'] == [0, 1, 2]
    # A cache of a teacher without bands is what it was before there were any.
    plain = made_from({**teacher, 'bands': None, 'pixel_scale': 1.0}, None, 8, builder.taps)
    assert not {'bands', 'pixel_scale'} & {*plain['teacher']}
    image = builder.images[0]['image'][None].float()
    colours = (image[:, :3] * (255 / 10000) - 120) / 60
    logits = builder.teacher.model(colours, mode='tensor')
    torch.testing.assert_close(
        builder.predict(image)['decode_head.conv_seg'], logits, rtol=1e-4, atol=1e-5
    )
    live = MODELS.build(dict(type='WholeImageTeacher', teacher=teacher, stride=8))
    student = MODELS.build(made.model.student)
    live.prepare({'decode_head.conv_seg'}, student.data_preprocessor)
    torch.testing.assert_close(
        live(image)['decode_head.conv_seg'], logits, rtol=1e-4, atol=1e-5, check_stride=False
    )
    experiment = Experiment(made)
    (batch,) = experiment.batches('train', 1)
    losses = experiment.model.loss(**experiment.model.data_preprocessor(batch, True))
    assert losses['terms.logits.loss'].item() > 0
