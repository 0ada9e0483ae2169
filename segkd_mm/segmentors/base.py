"""Base class of mmseg segmentors that wrap a model of another library."""

from typing import Any

import torch
from mmengine.config import ConfigDict
from mmseg.models.losses import accuracy
from mmseg.models.segmentors import EncoderDecoder
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.models.utils import resize
from mmseg.utils import OptSampleList, SampleList
from torch import Tensor, nn

from segkd_mm.labels import VOID
from segkd_mm.segmentors.cross_entropy import mean_cross_entropy
from segkd_mm.weights import leave_out_of_keys


class ForeignSegmentor(EncoderDecoder):
    """Base of mmseg segmentors that wrap a model of another library.

    The weight keys are the library's. The tap ``logits`` is the class logits before upsampling;
    ``net.<submodule>`` taps a feature. Inference, including sliding windows, is EncoderDecoder's.
    Subclasses compute the logits in :meth:`dense_logits`.

    Args:
        net: The library's model.
        num_classes: Number of classes.
        data_preprocessor: Config with the normalisation that the model was trained with.
        align_corners: Option of the bilinear upsampling to the size of the images.
        train_cfg: As of EncoderDecoder.
        test_cfg: As of EncoderDecoder.
        pretrained: Always None; mmseg's ``init_model`` passes it.
        init_cfg: As of mmengine's BaseModule.
    """

    def __init__(
        self,
        net: nn.Module,
        num_classes: int,
        data_preprocessor: dict,
        align_corners: bool = False,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        pretrained: None = None,
        init_cfg: dict | None = None,
    ) -> None:
        BaseSegmentor.__init__(self, data_preprocessor, init_cfg)
        self.net = net
        self.logits = nn.Identity()
        self.num_classes = self.out_channels = num_classes
        self.align_corners = align_corners
        self.train_cfg = train_cfg
        self.test_cfg = test_cfg or ConfigDict(mode='whole')
        leave_out_of_keys(self, 'net')

    def dense_logits(self, inputs: Tensor) -> Tensor:
        """Compute logits [N, num_classes, h, w] of normalised images [N, 3, H, W]."""
        raise NotImplementedError

    def init_weights(self) -> None:
        """Keep the weights: the library initialised them."""

    def extract_feat(self, inputs: Tensor) -> Any:
        """Raise NotImplementedError: features of a wrapped model are tapped by their names."""
        raise NotImplementedError(
            f'{type(self).__name__} has no extract_feat: tap its features by name, as '
            'net.<submodule>.'
        )

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Compute logits [N, num_classes, H, W], upsampled to the images [N, 3, H, W]."""
        logits = self._forward(inputs)
        return resize(logits, inputs.shape[2:], mode='bilinear', align_corners=self.align_corners)

    def _forward(self, inputs: Tensor, data_samples: OptSampleList = None) -> Tensor:
        return self.logits(self.dense_logits(inputs))

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """Compute the cross-entropy of the upsampled logits; void pixels are ignored.

        Further losses of the library, such as those of auxiliary heads, are not used.
        """
        labels = torch.cat([sample.gt_sem_seg.data for sample in data_samples])
        logits = self.encode_decode(inputs, [])
        return {
            'decode.loss_ce': mean_cross_entropy(logits, labels),
            'decode.acc_seg': accuracy(logits, labels, ignore_index=VOID),
        }
