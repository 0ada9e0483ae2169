import pytest
import torch
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torchvision.models import get_model


@torch.no_grad()
def test_an_image_of_any_size_is_segmented_with_what_is_there_by_default():
    net = MODELS.build({'type': 'TorchvisionSegmentor', 'arch': 'fcn_resnet50', 'num_classes': 4})
    sample = net.eval()(torch.randn(1, 3, 50, 70), mode='predict')[0]
    assert sample.seg_logits.data.shape == (4, 50, 70)
    assert sample.pred_sem_seg.data.shape == (1, 50, 70)


@pytest.mark.parametrize(
    ('arch', 'losses'),
    [
        ('lraspp_mobilenet_v3_large', {'decode.loss_ce', 'decode.acc_seg'}),
        ('deeplabv3_mobilenet_v3_large', {'decode.loss_ce', 'decode.acc_seg', 'aux.loss_ce'}),
    ],
)
def test_a_model_without_an_auxiliary_classifier_trains_without_its_loss(arch, losses):
    net = MODELS.build({'type': 'TorchvisionSegmentor', 'arch': arch, 'num_classes': 4})
    labels = PixelData(data=torch.randint(0, 4, (1, 64, 64)))
    samples = 2 * [SegDataSample(gt_sem_seg=labels)]
    found = net.loss(torch.randn(2, 3, 64, 64), samples)
    assert set(found) == losses
    found['decode.loss_ce'].backward()
    labels.data.fill_(255)  # a batch of unlabelled images
    void = net.loss(torch.randn(2, 3, 64, 64), samples)
    assert all(void[name] == 0 for name in losses - {'decode.acc_seg'})
    assert all(p.grad is not None for p in net.classifier.parameters())


@pytest.mark.parametrize(
    ('arch', 'trunk'),
    [('lraspp_mobilenet_v3_large', 'mobilenet_v3_large'), ('fcn_resnet50', 'resnet50')],
)
def test_the_backbone_takes_the_weights_of_a_classifier_of_torchvision(arch, trunk, tmp_path):
    state = get_model(trunk, weights=None).state_dict()
    torch.save(state, tmp_path / 'trunk.pth')
    weights = str(tmp_path / 'trunk.pth')
    net = MODELS.build({'type': 'TorchvisionSegmentor', 'arch': arch, 'backbone_weights': weights})
    net.init_weights()
    for name, tensor in net.backbone.state_dict().items():
        assert torch.equal(tensor, state[name if name in state else f'features.{name}'])
