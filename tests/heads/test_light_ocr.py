import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

CLASSES = 4
CE = dict(type='CrossEntropyLoss', avg_non_ignore=True)


def build(**kwargs):
    torch.manual_seed(0)
    options = dict(channels=16, ocr_channels=8, num_classes=CLASSES, loss_decode=CE) | kwargs
    return MODELS.build(dict(type='LightOCRHead', in_channels=12, **options))


def features(batch=2, height=7, width=9):
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(batch, 12, height, width, generator=draw)]


def samples(labels):
    return [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels]


def labels(void=5):
    draw = torch.Generator().manual_seed(0)
    drawn = torch.randint(0, CLASSES, (2, 7, 9), generator=draw)
    drawn[:, :, :void] = 255
    return drawn


def cross_entropy(logits, labels):
    logits = logits.detach().double().numpy()
    terms = [
        np.log(np.exp(logits[n, :, y, x]).sum()) - logits[n, labels[n, y, x], y, x]
        for n, y, x in np.argwhere(labels.numpy() != 255)
    ]
    return np.mean(terms)


def regions_and_logits(head):
    with torch.no_grad():
        (x,) = features()
        return head.regions(x), head(features())


@pytest.mark.parametrize(('height', 'width'), [(7, 9), (1, 5), (16, 16)])
@pytest.mark.parametrize('batch', [1, 3])
def test_logits_have_the_size_of_the_input(batch, height, width):
    logits = build()(features(batch, height, width))
    assert logits.shape == (batch, CLASSES, height, width)


@pytest.mark.parametrize('weight', [0.4, 1.5])
def test_the_regions_have_a_weighted_loss_beside_that_of_the_logits(weight):
    head = build(region_loss_weight=weight).eval()
    regions, logits = regions_and_logits(head)
    losses = head.loss(features(), samples(labels()), None)
    expected = cross_entropy(logits, labels())
    assert losses['loss_ce'].item() == pytest.approx(expected, rel=1e-5)
    expected = weight * cross_entropy(regions, labels())
    assert losses['loss_region'].item() == pytest.approx(expected, rel=1e-5)


def test_with_two_losses_the_regions_have_both():
    twice = [CE | dict(loss_name='loss_a'), CE | dict(loss_name='loss_b', loss_weight=2.0)]
    head = build(loss_decode=twice).eval()
    regions, logits = regions_and_logits(head)
    losses = head.loss(features(), samples(labels()), None)
    of_logits, of_regions = cross_entropy(logits, labels()), cross_entropy(regions, labels())
    found = [losses[name].item() for name in ('loss_a', 'loss_b', 'loss_region')]
    assert found == pytest.approx([of_logits, 2 * of_logits, 0.4 * 3 * of_regions], rel=1e-5)


def test_the_gradient_of_the_losses_reaches_every_parameter():
    head = build(dropout_ratio=0.0).train()
    losses = head.loss(features(), samples(labels()), None)
    (losses['loss_ce'] + losses['loss_region']).backward()
    unreached = [k for k, p in head.named_parameters() if p.grad is None or not p.grad.any()]
    assert unreached == []


def test_the_logits_draw_on_the_regions():
    head = build(dropout_ratio=0.0).train()
    head(features()).square().sum().backward()
    assert head.regions[0].conv.weight.grad.any()


def test_all_void_labels_give_zero_losses_and_a_gradient_of_zero():
    head = build().train()
    losses = head.loss(features(), samples(labels(void=9)), None)
    (losses['loss_ce'] + losses['loss_region']).backward()
    assert (losses['loss_ce'].item(), losses['loss_region'].item()) == (0, 0)
    assert all(not p.grad.any() for p in head.parameters())


def test_in_training_a_segmentor_sums_both_losses():
    model = MODELS.build(
        dict(
            type='EncoderDecoder',
            backbone=dict(type='TorchvisionTapBackbone', arch='mobilenet_v3_small', taps=['high']),
            decode_head=dict(type='LightOCRHead', in_channels=48, channels=16, num_classes=CLASSES),
        )
    )
    losses = model.loss(torch.randn(2, 3, 64, 64), samples(torch.zeros(2, 64, 64).long()))
    total, _ = model.parse_losses(losses)
    expected = losses['decode.loss_ce'] + losses['decode.loss_region']
    assert total.item() == pytest.approx(expected.item())
