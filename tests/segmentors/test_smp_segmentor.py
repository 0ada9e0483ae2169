import sys

import pytest
import torch
from mmengine.runner.checkpoint import get_state_dict
from mmseg.registry import MODELS

from segkd_mm.distill import Taps
from segkd_mm.weights import WeightsError, load_strictly, read_state_dict

smp = pytest.importorskip('segmentation_models_pytorch')

# By arch: the encoder, further options, and the stride of the logits.
TINY = {
    'Unet': ('resnet18', {'decoder_channels': [16, 16, 8, 8, 8]}, 1),
    'DeepLabV3Plus': ('mobilenet_v2', {'decoder_channels': 16}, 4),
    'FPN': ('resnet18', {'decoder_segmentation_channels': 32}, 4),
    'Segformer': ('mit_b0', {'decoder_segmentation_channels': 16}, 4),
    'UPerNet': ('tu-mobilenetv3_small_100', {'decoder_channels': 16}, 4),
    'DPT': (
        'tu-vit_tiny_patch16_224',
        {'dynamic_img_size': True, 'decoder_fusion_channels': 8,
         'decoder_intermediate_channels': [8, 8, 8, 8]},
        2,
    ),
}  # fmt: skip
each_arch = pytest.mark.parametrize('arch', TINY)


def config(arch, **settings):
    encoder, options, _ = TINY[arch]
    return {
        'type': 'SMPSegmentor',
        'arch': arch,
        'encoder': encoder,
        'num_classes': 5,
        'options': options,
        **settings,
    }


def library_model(arch):
    encoder, options, _ = TINY[arch]
    torch.manual_seed(0)
    return smp.create_model(arch, encoder, encoder_weights=None, classes=5, **options).eval()


@each_arch
@torch.no_grad()
def test_a_file_of_smp_is_loaded_strictly_and_gives_its_logits(arch, tmp_path):
    net = library_model(arch)
    torch.save(net.state_dict(), tmp_path / 'net.pth')
    ours = MODELS.build(config(arch)).eval()
    assert ours.state_dict().keys() == get_state_dict(ours).keys() == net.state_dict().keys()
    load_strictly(ours, read_state_dict(tmp_path / 'net.pth'), 'net.pth')
    images = torch.randn(1, 3, 64, 96)
    with Taps(ours, ['logits', 'net.decoder']) as taps:
        logits, tapped = ours(images), taps.pop()
    stride = TINY[arch][2]
    assert tapped['logits'] is logits
    assert logits.shape == (1, 5, 64 // stride, 96 // stride)
    torch.testing.assert_close(ours.encode_decode(images, []), net(images))


def test_a_folder_that_smp_saves_is_loaded_and_a_wrong_one_refused(tmp_path):
    net = library_model('FPN')
    net.save_pretrained(tmp_path)
    ours = MODELS.build(config('FPN'))
    load_strictly(ours, read_state_dict(tmp_path), tmp_path)
    assert torch.equal(ours.net.encoder.conv1.weight, net.encoder.conv1.weight)
    with pytest.raises(WeightsError, match='does not fit SMPSegmentor'):
        load_strictly(MODELS.build(config('Unet')), read_state_dict(tmp_path), tmp_path)


@torch.no_grad()
def test_a_classifier_of_images_beside_it_changes_nothing():
    options = {**TINY['FPN'][1], 'aux_params': {'classes': 3}}
    ours = MODELS.build(config('FPN', options=options)).eval()
    assert 'classification_head.3.weight' in ours.state_dict()
    assert ours(torch.randn(1, 3, 64, 64)).shape == (1, 5, 16, 16)


def test_a_student_learns_from_it_for_a_step(tmp_path, distil, response):
    torch.save(library_model('DeepLabV3Plus').state_dict(), tmp_path / 'net.pth')
    losses, distiller = distil(config('DeepLabV3Plus'), tmp_path / 'net.pth', response)
    assert losses['terms.logits.loss'] > 0
    assert distiller.student.backbone.body[0].weight.grad.abs().sum() > 0


@torch.no_grad()
def test_images_whose_sides_do_not_divide_by_32_are_padded_when_tested(batch):
    ours = MODELS.build(config('FPN')).eval()
    one = {'inputs': [batch['inputs'][0][:, :50, :40]], 'data_samples': batch['data_samples'][:1]}
    one['data_samples'][0].set_metainfo({'img_shape': (50, 40), 'ori_shape': (50, 40)})
    data = ours.data_preprocessor(one)
    assert data['inputs'].shape == (1, 3, 64, 64)
    assert ours(**data, mode='predict')[0].pred_sem_seg.data.shape == (1, 50, 40)


@pytest.mark.parametrize(
    ('encoder', 'mean', 'std'),
    [
        ('resnet18', [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
        ('tu-tf_efficientnet_lite0', [127.5] * 3, [127.5] * 3),
    ],
)
def test_the_normalisation_is_that_of_the_encoders_training(encoder, mean, std):
    own = MODELS.build({**config('FPN'), 'encoder': encoder}).data_preprocessor
    assert own.mean.flatten().tolist() == pytest.approx(mean)
    assert own.std.flatten().tolist() == pytest.approx(std)
    assert own._channel_conversion


def test_an_encoder_of_another_normalisation_wants_to_be_told():
    with pytest.raises(ValueError, match=r'xception was not trained .* give a data_prep'):
        MODELS.build({**config('FPN'), 'encoder': 'xception'})


def test_unknown_names_are_refused_with_close_ones():
    with pytest.raises(
        ValueError, match=r"no architecture 'deeplabv3pluss' \(did you mean 'deeplabv3p"
    ):
        MODELS.build({**config('FPN'), 'arch': 'DeepLabV3Pluss'})
    with pytest.raises(ValueError, match=r"no encoder 'resnet19' \(did you mean 'resnet1"):
        MODELS.build({**config('FPN'), 'encoder': 'resnet19'})


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'segmentation_models_pytorch', None)
    with pytest.raises(ImportError, match=r"pip install 'segkd_mm\[smp\]'"):
        MODELS.build(config('FPN'))
