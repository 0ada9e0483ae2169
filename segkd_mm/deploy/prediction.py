"""Fast ``predict`` of mmseg models: label maps only, no logits."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.models.decode_heads.cascade_decode_head import BaseCascadeDecodeHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import CascadeEncoderDecoder, EncoderDecoder
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.utils import OptSampleList, SampleList
from torch import Tensor, nn

from segkd_mm.deploy.label_map import upsampled_label_map
from segkd_mm.one_logit import has_label_logits, label_logits
from segkd_mm.segmentors.base import ForeignSegmentor
from segkd_mm.segmentors.torchvision_segmentor import TorchvisionSegmentor

# Segmentors that predict the argmax of their `_forward`, upsampled to the size of the input (one
# logit counts as two), and
# heads that predict likewise. A subclass that overrides one of the methods may differ.
SEGMENTORS = EncoderDecoder, CascadeEncoderDecoder, ForeignSegmentor, TorchvisionSegmentor
SEGMENTOR_METHODS = (
    'predict',
    'inference',
    'whole_inference',
    'encode_decode',
    '_forward',
    'postprocess_result',
)
HEADS = BaseDecodeHead, BaseCascadeDecodeHead
HEAD_METHODS = 'predict', 'predict_by_feat'


@contextmanager
def without_logits(model: BaseSegmentor) -> Iterator[None]:
    """Inside the block, the model predicts ``pred_sem_seg`` without ``seg_logits``, faster.

    See :mod:`segkd_mm.deploy.label_map`. mmseg's own ``predict``, with ``seg_logits``, is used if a
    prediction is not the argmax of upsampled logits: sliding windows, images that were flipped, and
    heads that override the prediction.
    """
    model.predict = partial(_predict, model)
    try:
        yield
    finally:
        del model.predict


def _predict(
    model: BaseSegmentor, inputs: Tensor, data_samples: OptSampleList = None
) -> SampleList:
    size = tuple(inputs.shape[2:])
    metas = [sample.metainfo for sample in data_samples or ()]
    if not (metas and upsamples_once(model) and all(_is_upright(meta, size) for meta in metas)):
        return type(model).predict(model, inputs, data_samples)
    logits = label_logits(model, model(inputs))
    for sample, own in zip(data_samples, logits.split(1), strict=True):
        labels = _label_map(own, sample.metainfo, size, model.align_corners)
        sample.set_data({'pred_sem_seg': PixelData(data=labels)})
    return data_samples


def upsamples_once(model: BaseSegmentor) -> bool:
    """Whether the model predicts the argmax of its logits upsampled once to the input size.

    Its logits are those of :func:`segkd_mm.one_logit.label_logits`.
    """
    heads = getattr(model, 'decode_head', None)
    last = heads[-1] if isinstance(heads, nn.ModuleList) else heads
    return (
        (model.test_cfg or {}).get('mode', 'whole') == 'whole'
        and has_label_logits(model)
        and _behaves_like(model, SEGMENTORS, SEGMENTOR_METHODS)
        and (last is None or _behaves_like(last, HEADS, HEAD_METHODS))
    )


def _behaves_like(module: nn.Module, classes: tuple[type, ...], methods: tuple[str, ...]) -> bool:
    """Whether the module inherits all the methods unchanged from one of the classes."""
    return any(
        all(getattr(type(module), name, None) is getattr(kind, name) for name in methods)
        for kind in classes
    )


def _is_upright(meta: dict, size: tuple[int, int]) -> bool:
    """Whether a model input of that size is the image, resized and padded at most."""
    upsampled_to = tuple(meta.get('pad_shape', meta['img_shape'])[:2])
    return upsampled_to == size and not meta.get('flip')


def _label_map(logits: Tensor, meta: dict, size: tuple[int, int], align_corners: bool) -> Tensor:
    """Labels [1, H, W] of the original image, of logits [1, C, h, w] of an input of that size."""
    left, right, top, bottom = _padding(meta)
    image = ..., slice(top, size[0] - bottom), slice(left, size[1] - right)
    image_size = size[0] - top - bottom, size[1] - left - right
    full_size = tuple(meta['ori_shape'][:2])
    if image_size == full_size:
        return upsampled_label_map(logits, size, align_corners)[image]
    # As mmseg does: first to the size of the input, and without its padding to the full size.
    logits = F.interpolate(logits.float(), size, None, 'bilinear', align_corners)
    return upsampled_label_map(logits[image], full_size, align_corners)


def _padding(meta: dict) -> tuple[int, int, int, int]:
    """Padding in pixels (left, right, top, bottom), from the keys that mmseg reads."""
    return tuple(meta.get('img_padding_size', meta.get('padding_size', (0, 0, 0, 0))))
