"""The distillations with a teacher of another library: their parts fit, for a training step."""

import pytest
import timm
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from segkd_mm.config import config_dir, load_config

pytestmark = pytest.mark.slow

TINY_SEGFORMER = {'model_type': 'segformer', 'depths': [1] * 4, 'hidden_sizes': [8, 8, 16, 16],
                  'num_attention_heads': [1] * 4, 'decoder_hidden_size': 16}  # fmt: skip


def step(config, batch):
    config.model.student.data_preprocessor.size = (64, 64)
    if 'weights' in config.model.student.backbone:
        config.model.student.backbone.weights = None
    config.model.student.pop('pretrained', None)
    model = MODELS.build(config.model).train()
    return model(**model.data_preprocessor(batch, True), mode='loss')


def test_a_student_of_cityscapes_learns_from_segformer(batch, tmp_path):
    pytest.importorskip('transformers')
    config = load_config('kd/response_kd_psp_r18_segformer_cityscapes.py')
    teacher = config.model.teacher
    assert teacher.checkpoint == f'hf://{teacher.model.name}'
    teacher.model.name = TINY_SEGFORMER
    torch.save(MODELS.build(teacher.model).net.state_dict(), tmp_path / 'net.pth')
    teacher.checkpoint = str(tmp_path / 'net.pth')
    assert step(config, batch)['terms.logits.loss'] > 0


def test_a_student_of_voc_learns_from_the_features_of_dinov2(batch, tmp_path):
    config = load_config('kd/feature_kd_mnv3s_dinov2_voc.py')
    teacher = config.model.teacher
    assert teacher.checkpoint == f'hf://timm/{teacher.model.arch}'
    torch.save(timm.create_model(teacher.model.arch).state_dict(), tmp_path / 'net.pth')
    teacher.checkpoint = str(tmp_path / 'net.pth')
    losses = step(config, batch)
    assert all(losses[f'terms.{name}.loss'] > 0 for name in ('mid', 'high', 'final'))


def test_the_teacher_of_smp_is_built_as_its_config_says(tmp_path):
    pytest.importorskip('segmentation_models_pytorch')
    config = Config.fromfile(config_dir() / '_base_/teachers/smp_deeplabv3plus_r50.py')
    model = MODELS.build(config.teacher.model)
    torch.save(model.net.state_dict(), tmp_path / 'net.pth')
    config.teacher.checkpoint = str(tmp_path / 'net.pth')
    teacher = MODELS.build(config.teacher)
    teacher.prepare(['logits'], teacher.model.data_preprocessor)
    # Stretched to 64 x 96, since smp takes multiples of 32 alone.
    assert teacher(torch.randn(1, 3, 60, 90))['logits'].shape == (1, 21, 16, 24)


@pytest.mark.parametrize('name', ['segformer_hf', 'upernet_hf', 'mask2former_hf'])
def test_config_and_weights_of_a_hub_model_are_of_one_name(name):
    teacher = Config.fromfile(config_dir() / f'_base_/teachers/{name}.py').teacher
    assert teacher.model.type == 'TransformersSegmentor'
    assert teacher.checkpoint == f'hf://{teacher.model.name}'
