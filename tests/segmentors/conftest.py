"""Training steps with a tiny student and a teacher of another library."""

from collections.abc import Callable

import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

NUM_CLASSES = 5
HALF = {'mean': [127.5] * 3, 'std': [127.5] * 3}


def student() -> dict:
    """A small student with a normalisation of its own."""
    return {
        'type': 'EncoderDecoder',
        'data_preprocessor': {'type': 'SegDataPreProcessor', 'size_divisor': 1, **HALF},
        'backbone': {'type': 'TorchvisionTapBackbone', 'arch': 'resnet18'},
        'decode_head': {'type': 'LightASPPHead', 'in_channels': 512, 'in_index': 3, 'channels': 8,
                        'num_classes': NUM_CLASSES},
        'test_cfg': {'mode': 'whole'},
    }  # fmt: skip


@pytest.fixture
def batch() -> dict:
    """Two random images of 64 x 64 with random classes, half of each void."""
    labels = torch.randint(0, NUM_CLASSES, (2, 1, 64, 64))
    labels[..., :32] = 255
    samples = [SegDataSample(gt_sem_seg=PixelData(data=one)) for one in labels]
    for sample in samples:
        sample.set_metainfo({'img_shape': (64, 64), 'ori_shape': (64, 64)})
    images = torch.randint(0, 255, (2, 3, 64, 64), dtype=torch.uint8)
    return {'inputs': list(images), 'data_samples': samples}


@pytest.fixture
def distil(batch: dict) -> Callable[[dict, str, dict], tuple[dict, nn.Module]]:
    """Take a training step: the losses by name, and the distiller."""

    def step(model: dict, checkpoint: str, terms: dict) -> tuple[dict, nn.Module]:
        teacher = {'type': 'Teacher', 'model': model, 'checkpoint': str(checkpoint)}
        distiller = MODELS.build(
            {'type': 'SegDistiller', 'student': student(), 'teacher': teacher, 'terms': terms}
        ).train()
        losses = distiller(**distiller.data_preprocessor(batch, True), mode='loss')
        sum(value for key, value in losses.items() if 'loss' in key).backward()
        return losses, distiller

    return step


@pytest.fixture
def response() -> dict:
    """Terms for the logits of any segmentor of another library."""
    return {
        'logits': {
            'student': 'decode_head.conv_seg',
            'teacher': 'logits',
            'loss': {'type': 'PixelKLLoss'},
        }
    }
