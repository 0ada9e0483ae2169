import torch
from mmseg.registry import MODELS


@torch.no_grad()
def test_a_photo_of_any_size_is_segmented_with_what_is_there_by_default():
    net = MODELS.build({'type': 'TorchvisionSegmentor', 'arch': 'fcn_resnet50', 'num_classes': 4})
    sample = net.eval()(torch.randn(1, 3, 50, 70), mode='predict')[0]
    assert sample.seg_logits.data.shape == (4, 50, 70)
    assert sample.pred_sem_seg.data.shape == (1, 50, 70)
