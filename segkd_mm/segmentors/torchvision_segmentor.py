"""torchvision's segmentation models as mmseg segmentors, with torchvision's keys."""

import torch
from mmengine.config import ConfigDict
from mmseg.models.losses import accuracy
from mmseg.models.segmentors import EncoderDecoder
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.models.utils import resize
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList, SampleList
from torch import Tensor
from torchvision.models import get_model

from segkd_mm.labels import VOID
from segkd_mm.segmentors.cross_entropy import mean_cross_entropy
from segkd_mm.segmentors.normalisation import preprocessor_config
from segkd_mm.weights import load_strictly, read_state_dict


@MODELS.register_module()
class TorchvisionSegmentor(EncoderDecoder):
    """A torchvision segmentation model as an mmseg segmentor.

    Its keys are torchvision's, so that torchvision's files load strictly. Taps are its submodules,
    such as ``backbone.layer3``. Inference, including sliding windows, is EncoderDecoder's.

    Args:
        arch: ``fcn_resnet50``, ``deeplabv3_resnet50``, ``lraspp_mobilenet_v3_large``, ...
        num_classes: Number of classes.
        backbone_weights: Initial weights of the backbone, None for random ones; see
            :func:`segkd_mm.weights.read_state_dict`. Read when training starts.
        aux_loss_weight: Weight of the auxiliary loss; 0.5 is torchvision's.
        data_preprocessor: By default one with ImageNet's mean and std, RGB.
        train_cfg: As of EncoderDecoder.
        test_cfg: As of EncoderDecoder.
        pretrained: Always None; mmseg's ``init_model`` passes it.
        init_cfg: As of mmengine's BaseModule.
    """

    def __init__(
        self,
        arch: str,
        num_classes: int = 21,
        backbone_weights: str | None = None,
        aux_loss_weight: float = 0.5,
        data_preprocessor: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        pretrained: None = None,
        init_cfg: dict | None = None,
    ) -> None:
        BaseSegmentor.__init__(self, data_preprocessor or preprocessor_config(), init_cfg)
        options = {} if arch.startswith('lraspp') else {'aux_loss': True}
        net = get_model(
            arch, weights=None, weights_backbone=None, num_classes=num_classes, **options
        )
        self.backbone = net.backbone
        self.classifier = net.classifier
        self.aux_classifier = getattr(net, 'aux_classifier', None)
        self.backbone_weights = backbone_weights
        self.aux_loss_weight = aux_loss_weight
        self.num_classes = self.out_channels = num_classes
        self.align_corners = False
        self.train_cfg = train_cfg
        self.test_cfg = test_cfg or ConfigDict(mode='whole')

    def init_weights(self) -> None:
        """Load ``backbone_weights`` strictly, without the classifier."""
        if self.backbone_weights is not None:
            state = read_state_dict(self.backbone_weights)
            trunk = {k: v for k, v in state.items() if not k.startswith(('fc.', 'classifier.'))}
            state = {k.removeprefix('features.'): v for k, v in trunk.items()}  # of MobileNets
            load_strictly(self.backbone, state, self.backbone_weights)

    def extract_feat(self, inputs: Tensor) -> dict[str, Tensor]:
        """Compute the features ``out`` and ``aux``, for LR-ASPP ``low`` and ``high``."""
        return self.backbone(inputs)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Compute logits [N, num_classes, H, W], upsampled to the images [N, 3, H, W]."""
        return resize(self._forward(inputs), inputs.shape[2:], mode='bilinear')

    def _forward(self, inputs: Tensor, data_samples: OptSampleList = None) -> Tensor:
        return self._logits(self.backbone(inputs))

    def _logits(self, features: dict[str, Tensor]) -> Tensor:
        return self.classifier(features.get('out', features))  # LR-ASPP takes both

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """Compute the cross-entropy of the logits and of auxiliary ones; void is ignored."""
        features = self.backbone(inputs)
        labels = torch.cat([sample.gt_sem_seg.data for sample in data_samples])
        logits = resize(self._logits(features), labels.shape[1:], mode='bilinear')
        losses = {
            'decode.loss_ce': mean_cross_entropy(logits, labels),
            'decode.acc_seg': accuracy(logits, labels, ignore_index=VOID),
        }
        if self.aux_classifier is not None:
            aux = resize(self.aux_classifier(features['aux']), labels.shape[1:], mode='bilinear')
            losses['aux.loss_ce'] = self.aux_loss_weight * mean_cross_entropy(aux, labels)
        return losses
