import pytest
import timm
import torch
from mmseg.registry import MODELS
from safetensors.torch import save_file

from segkd_mm.distill import TapError, Teacher
from segkd_mm.weights import WeightsError, load_strictly, read_state_dict

pytestmark = pytest.mark.slow

VIT = {
    'type': 'TimmFeatures',
    'arch': 'vit_tiny_patch16_224.augreg_in21k',
    'options': {'out_indices': [2, 5, 8, 11], 'dynamic_img_size': True, 'dynamic_img_pad': True},
}
CNN = {'type': 'TimmFeatures', 'arch': 'resnet18'}


def saved(model, folder):
    """A folder as of timm on the hub: the whole model, its classifier with it."""
    torch.manual_seed(3)
    net = timm.create_model(model['arch']).eval()
    folder.mkdir(exist_ok=True)
    save_file(net.state_dict(), folder / 'model.safetensors')
    return net


@pytest.fixture(scope='module')
def vit(tmp_path_factory):
    folder = tmp_path_factory.mktemp('vit')
    return saved(VIT, folder), folder


def teacher(model, checkpoint, taps):
    made = Teacher(model, str(checkpoint))
    made.prepare(taps, made.model.data_preprocessor)
    return made


def test_the_taps_of_a_vision_transformer_are_the_outputs_of_its_blocks(vit):
    net, folder = vit
    taps = [f'backbone.{name}' for name in ('low', 'mid', 'high', 'final')]
    images = torch.randn(1, 3, 224, 224)
    tapped = teacher(VIT, folder, taps)(images)
    with torch.no_grad():
        expected = net.forward_intermediates(images, [2, 5, 8, 11], intermediates_only=True)
    for tap, feature in zip(taps, expected, strict=True):
        assert feature.shape == (1, 192, 14, 14)
        torch.testing.assert_close(tapped[tap], feature)


def test_the_taps_of_a_cnn_are_its_last_four_levels(tmp_path):
    net = saved(CNN, tmp_path)
    images = torch.randn(1, 3, 64, 64)
    tapped = teacher(CNN, tmp_path, ['backbone.low', 'backbone.final'])(images)
    with torch.no_grad():
        final = net.forward_features(images)
    assert tapped['backbone.low'].shape == (1, 64, 16, 16)
    torch.testing.assert_close(tapped['backbone.final'], final)


def test_images_of_any_size_are_padded_to_the_patch(vit):
    tapped = teacher(VIT, vit[1], ['backbone.final'])(torch.randn(1, 3, 75, 100))
    assert tapped['backbone.final'].shape == (1, 192, 5, 7)


def test_a_student_learns_from_it_for_a_step(vit, distil):
    feature = {
        'student': 'backbone.high',
        'teacher': 'backbone.final',
        'adapter': 'auto',
        'loss': {'type': 'CosineFeatureLoss'},
    }
    losses, distiller = distil(VIT, vit[1], {'feature': feature})
    assert losses['terms.feature.loss'] > 0
    assert distiller.terms['feature'].adapter.weight.shape[:2] == (192, 256)
    assert distiller.student.backbone.body[0].weight.grad.abs().sum() > 0


def test_weights_that_do_not_fit_are_an_error_and_never_a_random_teacher(vit, tmp_path):
    state = read_state_dict(vit[1])
    state['blocks.0.attn.qvk.weight'] = state.pop('blocks.0.attn.qkv.weight')
    torch.save(state, tmp_path / 'renamed.pth')
    with pytest.raises(WeightsError, match=r'renamed\.pth (.|\n)*missing: blocks\.0\.attn\.qkv'):
        Teacher(VIT, str(tmp_path / 'renamed.pth'))
    with pytest.raises(WeightsError, match='does not fit ResNet'):
        Teacher(CNN, str(vit[1]))


def test_it_loads_its_own_keys_too(tmp_path):
    model, other = MODELS.build(CNN), MODELS.build(CNN)
    load_strictly(other, model.state_dict(), 'own')
    assert torch.equal(other.backbone.body.conv1.weight, model.backbone.body.conv1.weight)


@pytest.mark.parametrize(('model', 'mean'), [(VIT, [127.5] * 3), (CNN, [123.675, 116.28, 103.53])])
def test_the_normalisation_is_timms(model, mean):
    own = MODELS.build(model).data_preprocessor
    assert own.mean.flatten().tolist() == pytest.approx(mean)
    assert own._channel_conversion


@pytest.mark.parametrize('mode', ['loss', 'predict'])
def test_asked_for_classes_it_says_that_it_has_none(mode):
    with pytest.raises(NotImplementedError, match=rf"no classes, so it has no mode '{mode}'"):
        MODELS.build(CNN)(torch.zeros(1, 3, 64, 64), mode=mode)


def test_a_tap_for_logits_is_an_error_that_shows_what_there_is(tmp_path):
    saved(CNN, tmp_path)
    with pytest.raises(TapError, match=r"no submodule 'logits'.*backbone"):
        teacher(CNN, tmp_path, ['logits'])
