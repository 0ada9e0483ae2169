import json
from copy import deepcopy

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from tiny_student import tiny_student
from torch import nn

from segkd_mm.config import load_config
from segkd_mm.deploy.export import SAVERS, export_metadata, to_format
from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.image_steps import (
    image_loader,
    image_resize,
    known_loader,
    known_resize,
    steps_left_out,
)
from segkd_mm.deploy.images import images_of_files, pixels_as_input
from segkd_mm.deploy.loading import deployable
from segkd_mm.deploy.parity import measure_parity
from segkd_mm.deploy.runtime import load_runtime
from segkd_mm.normalisation import channels_of

BANDS = dict(type='BandPreProcessor', mean=[900.0, 10, 5, 0.5], std=[400.0, 4, 3, 0.2])


def shapes_config(loader):
    config = load_config('student/mnv3s_slim_shapes.py')
    config.test_dataloader.dataset.pipeline[0] = loader
    return config


@pytest.mark.slow
def test_a_16_bit_image_has_the_same_labels_in_the_exported_file(tmp_path):
    model = tiny_student()
    noise = np.random.default_rng(0).integers(0, 1000, (8, 12, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / 'deep.png'), cv2.resize(noise, (96, 64)))
    config = shapes_config(dict(type='LoadImageFromFile', color_type='unchanged'))
    images = images_of_files(config, [tmp_path / 'deep.png'])
    pixels = pixels_as_input(images[0]['inputs']).dtype
    assert pixels == torch.float32
    graph = DeployedGraph(deployable(deepcopy(model)), image_in=True, pixels=pixels)
    metadata = export_metadata(graph, config, 'torch-export', 'fp32')
    program = to_format(graph.eval(), 'torch-export')
    SAVERS['torch-export'](program, tmp_path / 'deep.pt2', metadata)
    file = load_runtime(tmp_path / 'deep.pt2')
    assert measure_parity(model, file, images).labels_differ == 0
    # Values above 255 wrapped, so that a fifth of the labels were other ones.
    file.metadata['input_dtype'] = 'uint8'
    with pytest.raises(ValueError, match=r'deep.pt2 takes images of 8 bits, found torch.float32'):
        measure_parity(model, file, images)


def test_the_channels_are_those_of_the_mean_or_the_first_convolution():
    model = nn.Sequential(nn.Conv2d(5, 8, 1), nn.Conv2d(8, 2, 1))
    assert channels_of(model) == 5
    for mean, channels in (([0.0], 5), ([0.0] * 3, 3)):
        model.data_preprocessor = MODELS.build(
            dict(type='SegDataPreProcessor', mean=mean, std=[1.0] * len(mean))
        )
        assert channels_of(model) == channels
    model.data_preprocessor = MODELS.build(BANDS)
    assert channels_of(model) == 4
    assert channels_of(nn.Identity()) == 3


def test_a_file_names_no_loader_but_those_of_images():
    secret = dict(type='LoadImageFromFile', color_type='grayscale', backend_args=dict(key='1'))
    found = image_loader(shapes_config(secret))
    assert found == dict(type='LoadImageFromFile', color_type='grayscale')
    of_another = dict(type='LoadImageFromNDArray')
    assert image_loader(shapes_config(of_another)) == dict(type='LoadImageFromFile')
    with pytest.raises(ValueError, match="loader of images is 'Run', expected one of"):
        known_loader(Config(dict(type='Run')))


def test_a_file_names_how_images_are_resized_and_no_other_step():
    config = shapes_config(dict(type='LoadImageFromFile'))
    assert image_resize(config) is None
    assert steps_left_out(config) == []
    resize = dict(type='Resize', scale=(1024, 256), keep_ratio=True, clip_object_border=False)
    config.test_dataloader.dataset.pipeline[1:1] = [resize, dict(type='Pad', size_divisor=32)]
    found = image_resize(config)
    assert found == dict(type='Resize', scale=(1024, 256), keep_ratio=True)
    assert known_resize(json.loads(json.dumps(found))) == found
    assert steps_left_out(config) == ['Pad']
    scoped = shapes_config(dict(type='mmseg.LoadImageFromFile'))
    two = [dict(type='mmseg.Resize', scale_factor=0.5, backend='pillow'), resize]
    scoped.test_dataloader.dataset.pipeline[1:1] = two
    assert image_resize(scoped) == dict(type='Resize', scale_factor=0.5, backend='pillow')
    assert steps_left_out(scoped) == ['Resize']


@pytest.mark.parametrize(
    'change',
    [
        dict(type='Run'), dict(scale=None), dict(scale='abc'), dict(scale=[0, 5]), dict(scale=True),
        dict(scale=[64]), dict(scale=10**6), dict(scale_factor=-1), dict(scale_factor=float('nan')),
        dict(keep_ratio='no'), dict(interpolation='junk'), dict(backend='os'),
    ],
)  # fmt: skip
def test_another_resize_is_refused(change):
    step = dict(type='Resize', scale=[64, 32], keep_ratio=True, interpolation='area')
    assert known_resize(step)['scale'] == (64, 32)
    with pytest.raises(ValueError, match=r'Images are resized by \{.*expected type='):
        known_resize({**step, **change})
