import json
import re
import shutil
import sys

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.runner.checkpoint import get_state_dict
from mmseg.registry import MODELS

from segkd_mm.distill import Taps
from segkd_mm.segmentors.transformers_segmentor import mask_logits, without_folder
from segkd_mm.weights import WeightsError, load_strictly, read_state_dict

pytestmark = pytest.mark.slow

transformers = pytest.importorskip('transformers')

SWIN = {'model_type': 'swin', 'embed_dim': 8, 'depths': [1] * 4, 'num_heads': [1, 1, 2, 2],
        'window_size': 4, 'out_features': ['stage1', 'stage2', 'stage3', 'stage4']}  # fmt: skip
DETR = {'model_type': 'detr', 'd_model': 16, 'decoder_layers': 1, 'decoder_attention_heads': 2,
        'decoder_ffn_dim': 16, 'encoder_layers': 1, 'num_queries': 6}  # fmt: skip
TINY = {
    'segformer': {'depths': [1] * 4, 'hidden_sizes': [8, 8, 16, 16],
                  'num_attention_heads': [1] * 4, 'decoder_hidden_size': 16},
    'upernet': {'backbone_config': SWIN, 'hidden_size': 16, 'pool_scales': [1, 2],
                'auxiliary_channels': 8, 'auxiliary_in_channels': 32},
    'mask2former': {'backbone_config': SWIN, 'feature_size': 32, 'mask_feature_size': 32,
                    'hidden_dim': 32, 'encoder_feedforward_dim': 16, 'encoder_layers': 1,
                    'decoder_layers': 2, 'num_attention_heads': 2, 'dim_feedforward': 16,
                    'num_queries': 6},
    'maskformer': {'backbone_config': SWIN, 'fpn_feature_size': 32, 'mask_feature_size': 32,
                   'decoder_config': DETR},
}  # fmt: skip
each_kind = pytest.mark.parametrize('kind', TINY)


def build(name, **settings):
    config = Config({'model': {'type': 'TransformersSegmentor', 'name': name, **settings}})
    return MODELS.build(config.model).eval()


def tiny(kind, seed=0):
    torch.manual_seed(seed)
    net = build({'model_type': kind, 'num_labels': 5, **TINY[kind]})
    for parameter in net.parameters():  # else all that comes out is near nothing
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    return net


@pytest.fixture
def images():
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))


# ---- keys and weights


@each_kind
@torch.no_grad()
def test_what_transformers_saves_is_loaded_strictly(kind, tmp_path, images):
    net = tiny(kind)
    net.net.save_pretrained(tmp_path)
    loaded = build(str(tmp_path))
    assert not torch.equal(loaded(images), net(images))
    load_strictly(loaded, read_state_dict(tmp_path), tmp_path)
    assert torch.equal(loaded(images), net(images))


@each_kind
def test_the_keys_are_those_of_the_model_in_transformers(kind, tmp_path):
    net = tiny(kind)
    keys = net.net.state_dict().keys()
    assert net.state_dict().keys() == get_state_dict(net).keys() == keys
    # A checkpoint of mmengine's runner is in these, and not in those of transformers' files.
    torch.save({'state_dict': get_state_dict(net)}, tmp_path / 'best.pth')
    other = tiny(kind, seed=1)
    load_strictly(other, read_state_dict(tmp_path / 'best.pth'), 'best.pth')
    assert all(torch.equal(a, b) for a, b in zip(other.parameters(), net.parameters(), strict=True))


@torch.no_grad()
@pytest.mark.parametrize('kind', ['upernet', 'mask2former'])
def test_the_file_of_an_older_version_is_loaded(kind, tmp_path, images):
    net = tiny(kind)
    net.net.save_pretrained(tmp_path)
    state = read_state_dict(tmp_path)
    # It has tables that are now computed, and lacks a norm that is not used.
    for key in [key for key in state if key.endswith('relative_position_bias_table')]:
        state[key.replace('bias_table', 'index')] = torch.zeros(16, 16, dtype=torch.int64)
    unused = [key for key in state if re.search(r'swin\.layernorm', key)]
    assert len(unused) == 2
    for key in unused:
        del state[key]
    loaded = tiny(kind, seed=1)
    load_strictly(loaded, state, tmp_path)
    assert torch.equal(loaded(images), net(images))


def test_weights_that_do_not_fit_are_an_error_and_nothing_is_loaded(tmp_path, capfd):
    net = tiny('segformer')
    net.net.save_pretrained(tmp_path)
    state = read_state_dict(tmp_path)
    capfd.readouterr()
    # Names of transformers' files, which are not those of the model in it.
    state['decode_head.clasifier.bias'] = state.pop('decode_head.classifier.bias')
    state['decode_head.linear_c.0.proj.bias'] = torch.zeros(3)
    other = tiny('segformer', seed=1)
    before = {key: value.clone() for key, value in other.state_dict().items()}
    with pytest.raises(WeightsError, match=r'x\.pth does not fit Transf.* \(3 of \d+ ') as error:
        load_strictly(other, state, 'x.pth')
    assert 'Loading weights' not in capfd.readouterr().err
    for fault in (
        "missing: decode_head.classifier.bias (did you mean 'decode_head.clasifier.bias'?)",
        "unexpected: decode_head.clasifier.bias (did you mean 'decode_head.classifier.bias'?)",
        'shape (3,) in the file, (16,) in the model: decode_head.linear_projections.0.proj.bias',
    ):
        assert fault in str(error.value)
    assert all(torch.equal(value, before[key]) for key, value in other.state_dict().items())


def test_another_number_of_classes_does_not_take_the_files_weights(tmp_path):
    tiny('segformer').net.save_pretrained(tmp_path)
    net = build(str(tmp_path), num_classes=7)
    assert net(torch.zeros(1, 3, 64, 64)).shape == (1, 7, 16, 16)
    with pytest.raises(WeightsError, match=r'\(5, 16, 1, 1\) in the file, \(7, 16, 1, 1\)'):
        load_strictly(net, read_state_dict(tmp_path), tmp_path)


# ---- logits


@torch.no_grad()
@pytest.mark.parametrize('kind', ['segformer', 'upernet'])
def test_upsampled_logits_are_those_of_transformers(kind, images):
    net = tiny(kind)
    expected = net.net(pixel_values=images).logits
    assert net(images).shape == (2, 5, 16, 24)
    if expected.shape != images.shape:  # UperNet upsamples by itself
        expected = F.interpolate(expected, images.shape[2:], mode='bilinear')
    torch.testing.assert_close(net.encode_decode(images, []), expected)


@torch.no_grad()
@pytest.mark.parametrize('kind', ['mask2former', 'maskformer'])
def test_the_softmax_of_dense_logits_is_the_normalised_score_of_each_class(kind, images):
    net = tiny(kind)
    outputs = net.net(pixel_values=images)
    classes = outputs.class_queries_logits.double().softmax(-1)
    masks = outputs.masks_queries_logits.double().sigmoid()
    score = sum(
        classes[:, q, :5, None, None] * masks[:, q, None] for q in range(masks.shape[1])
    )  # fmt: skip
    expected = score / score.sum(1, keepdim=True)
    logits = net(images)
    assert logits.shape == (2, 5, 16, 24)
    torch.testing.assert_close(logits.softmax(1), expected.float())


@pytest.mark.parametrize('processor', ['Mask2Former', 'MaskFormer'])
def test_labels_are_those_of_transformers_own_post_processing(processor):
    torch.manual_seed(0)
    # At the size to which Mask2Former's upsamples all masks.
    outputs = Config({
        'class_queries_logits': 3 * torch.randn(1, 20, 6),
        'masks_queries_logits': 3 * torch.randn(1, 20, 384, 384),
    })  # fmt: skip
    own = getattr(transformers, f'{processor}ImageProcessor')()
    expected = own.post_process_semantic_segmentation(outputs)[0]
    dense = mask_logits(outputs.class_queries_logits, outputs.masks_queries_logits)
    assert torch.equal(dense.argmax(1)[0], expected)
    assert len(expected.unique()) > 2


def test_extreme_masks_and_classes_give_finite_logits():
    classes = torch.tensor([[[1e4, -1e4, 0.0]]])
    masks = torch.tensor([[[[-1e4, 1e4]]]])
    logits = mask_logits(classes, masks)
    assert logits.isfinite().all()
    assert logits[0, 0, 0, 1] == 0  # a score of 1
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(mask_logits(classes, masks), logits)


@each_kind
@torch.no_grad()
def test_images_of_any_size_are_segmented(kind):
    net = tiny(kind)
    sample = net(torch.randn(1, 3, 75, 50), mode='predict')[0]
    assert sample.pred_sem_seg.data.shape == (1, 75, 50)
    assert sample.seg_logits.data.isfinite().all()


@torch.no_grad()
def test_the_tap_of_logits_and_features_fires(images):
    net = tiny('segformer')
    with Taps(net, ['logits', 'net.segformer.stages.1', 'net.decode_head.activation']) as taps:
        logits, tapped = net(images), taps.pop()
    assert torch.equal(tapped['logits'], logits)
    assert tapped['net.segformer.stages.1'].shape == (2, 8, 8, 12)
    assert tapped['net.decode_head.activation'].shape == (2, 16, 16, 24)


# ---- training


@each_kind
def test_a_student_learns_from_it_for_a_step(kind, tmp_path, distil, response):
    tiny(kind).net.save_pretrained(tmp_path)
    model = {'type': 'TransformersSegmentor', 'name': str(tmp_path)}
    losses, distiller = distil(model, tmp_path, response)
    assert losses['terms.logits.loss'] > 0
    assert distiller.student.backbone.body[0].weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in distiller.teacher.parameters())


@torch.no_grad()
def test_its_own_loss_is_the_cross_entropy_of_what_is_not_void(batch):
    net = tiny('segformer')
    data = net.data_preprocessor(batch)
    losses = net(**data, mode='loss')
    logits = net.encode_decode(data['inputs'], []).double().log_softmax(1)[..., 32:]
    labels = torch.stack([s.gt_sem_seg.data for s in batch['data_samples']])[..., 32:]
    expected = -logits.gather(1, labels).mean()
    assert losses['decode.loss_ce'].item() == pytest.approx(expected.item(), rel=1e-5)
    for sample in batch['data_samples']:
        sample.gt_sem_seg.data.fill_(255)
    assert net(**data, mode='loss')['decode.loss_ce'] == 0


def test_it_is_trained_by_its_own_loss(batch):
    net = tiny('mask2former').train()
    net(**net.data_preprocessor(batch, True), mode='loss')['decode.loss_ce'].backward()
    assert net.net.class_predictor.weight.grad.abs().sum() > 0


def test_training_starts_from_the_weights_that_are_there():
    net = tiny('segformer')
    before = {key: value.clone() for key, value in net.state_dict().items()}
    net.init_weights()
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


# ---- what is read beside the weights


def normalisation(net):
    own = net.data_preprocessor
    return own.mean.flatten().tolist(), own.std.flatten().tolist(), own._channel_conversion


@pytest.mark.parametrize(
    ('written', 'mean', 'std', 'rgb'),
    [
        (None, [123.675, 116.28, 103.53], [58.395, 57.12, 57.375], True),
        ({'image_mean': [0.5] * 3, 'image_std': [0.25] * 3}, [127.5] * 3, [63.75] * 3, True),
        ({'do_normalize': False}, [0] * 3, [255] * 3, True),
        ({'do_normalize': False, 'do_rescale': False}, [0] * 3, [1] * 3, True),
        (
            {'image_processor_type': 'MobileViTImageProcessor', 'do_flip_channel_order': True},
            [0] * 3, [255] * 3, False,
        ),
    ],
)  # fmt: skip
def test_the_normalisation_is_that_of_the_folder(tmp_path, written, mean, std, rgb):
    tiny('segformer').net.save_pretrained(tmp_path)
    if written is not None:
        kind = {'image_processor_type': 'SegformerImageProcessor', **written}
        (tmp_path / 'preprocessor_config.json').write_text(json.dumps(kind))
    found = normalisation(build(str(tmp_path)))
    assert found == (pytest.approx(mean), pytest.approx(std), rgb)


def test_an_image_is_normalised_as_transformers_does_it(tmp_path):
    processor = transformers.SegformerImageProcessor(image_mean=[0.3, 0.4, 0.5], do_resize=False)
    tiny('segformer').net.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    bgr = torch.randint(0, 255, (3, 8, 8), dtype=torch.uint8)
    ours = build(str(tmp_path)).data_preprocessor({'inputs': [bgr]})['inputs']
    theirs = processor(images=bgr.flip(0), return_tensors='pt')['pixel_values']
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_class_names_are_those_of_the_config():
    config = {'model_type': 'segformer', **TINY['segformer']}
    assert build({**config, 'id2label': {'1': 'sky', '0': 'road'}}).classes == ('road', 'sky')
    assert build({**config, 'num_labels': 3}).classes is None


# ---- errors


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'transformers', None)
    with pytest.raises(ImportError, match=r"pip install 'segkd_mm\[transformers\]'"):
        build('owner/name')


@each_kind
def test_without_its_folder_the_model_is_the_same(kind, tmp_path):
    folder = tmp_path / 'model'
    net = tiny(kind)
    net.net.save_pretrained(folder)
    processor = transformers.SegformerImageProcessor(image_mean=[0.1] * 3, image_std=[0.2] * 3)
    processor.save_pretrained(folder)
    wanted = build(str(folder))
    alone = without_folder(dict(type='mmseg.TransformersSegmentor', name=str(folder)))
    shutil.rmtree(folder)
    alone.pop('type')
    built = build(**json.loads(json.dumps(alone)))
    built.load_state_dict(net.state_dict())
    assert normalisation(built) == normalisation(wanted) != normalisation(net)
    assert built.classes == wanted.classes


def test_a_folder_without_a_config_is_an_error(tmp_path):
    with pytest.raises(WeightsError, match=rf'{tmp_path} has no config\.json'):
        build(str(tmp_path))


@pytest.mark.parametrize('name', ['owner/name', './segformer', 'a/b/c'])
def test_a_model_out_of_reach_is_an_error_that_says_how_to_use_a_folder(name, monkeypatch):
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    with pytest.raises(WeightsError, match=rf'{name} is no folder .*--local-dir DIR.*give DIR'):
        build(name)


def test_a_model_that_is_not_for_segmentation_is_an_error_that_lists_those_that_are():
    with pytest.raises(ValueError, match=r"type is 'bert', .*segformer.*upernet.*mask2former"):
        build({'model_type': 'bert'})


def test_code_of_a_hub_is_never_run(tmp_path):
    ran = tmp_path / 'ran'
    (tmp_path / 'evil.py').write_text(f'open({str(ran)!r}, "w")')
    config = {'model_type': 'evil', 'auto_map': {'AutoConfig': 'evil.Evil'}}
    (tmp_path / 'config.json').write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r'trust_remote_code|does not recognize'):
        build(str(tmp_path))
    assert not ran.exists()
