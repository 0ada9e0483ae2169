"""torchvision's segmentation models as mmseg segmentors, with torchvision's keys."""

import torch
import torch.nn.functional as F
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
from segkd_mm.segmentors.normalisation import preprocessor
from segkd_mm.weights import load_strictly, read_state_dict


@MODELS.register_module()
class TorchvisionSegmentor(EncoderDecoder):
    """``backbone``, ``classifier`` and ``aux_classifier`` of a torchvision segmentation model.

    Its keys are torchvision's, so that their files load strictly; taps are ``backbone.layer3``,
    ``classifier`` and so on. Inference, sliding windows included, is EncoderDecoder's.

    Args:
        arch: ``fcn_resnet50``, ``deeplabv3_resnet50``, ``lraspp_mobilenet_v3_large``, ...
        num_classes: Number of classes.
        backbone_weights: Weights of the backbone from which to train, None for random ones; see
            :func:`segkd_mm.weights.read_state_dict`. Read when training starts.
        aux_loss_weight: Weight of the auxiliary loss; 0.5 is torchvision's.
        data_preprocessor: By default ImageNet's mean and std, RGB.
        train_cfg: As EncoderDecoder's.
        test_cfg: As EncoderDecoder's.
        pretrained: Always None; mmseg's ``init_model`` passes it.
        init_cfg: Of mmengine's BaseModule.
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
        BaseSegmentor.__init__(self, data_preprocessor or preprocessor(), init_cfg)
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
        """Load ``backbone_weights`` strictly, classifier aside."""
        if self.backbone_weights is not None:
            state = read_state_dict(self.backbone_weights)
            state = {k: v for k, v in state.items() if not k.startswith('fc.')}
            load_strictly(self.backbone, state, self.backbone_weights)

    def extract_feat(self, inputs: Tensor) -> dict[str, Tensor]:
        """Features ``out`` and ``aux`` of images [N, 3, H, W]; of LR-ASPP ``low`` and ``high``."""
        return self.backbone(inputs)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Logits [N, num_classes, H, W] at the size of the images [N, 3, H, W]."""
        return resize(self._forward(inputs), inputs.shape[2:], mode='bilinear')

    def _forward(self, inputs: Tensor, data_samples: OptSampleList = None) -> Tensor:
        return self._logits(self.backbone(inputs))

    def _logits(self, features: dict[str, Tensor]) -> Tensor:
        return self.classifier(features.get('out', features))  # LR-ASPP's takes both of its own

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """Cross-entropy of the logits and of the auxiliary ones, if there are, void left out."""
        features = self.backbone(inputs)
        labels = torch.cat([sample.gt_sem_seg.data for sample in data_samples])
        logits = resize(self._logits(features), labels.shape[1:], mode='bilinear')
        losses = {
            'decode.loss_ce': F.cross_entropy(logits, labels, ignore_index=VOID),
            'decode.acc_seg': accuracy(logits, labels, ignore_index=VOID),
        }
        if self.aux_classifier is not None:
            aux = resize(self.aux_classifier(features['aux']), labels.shape[1:], mode='bilinear')
            loss = F.cross_entropy(aux, labels, ignore_index=VOID)
            losses['aux.loss_ce'] = self.aux_loss_weight * loss
        return losses
