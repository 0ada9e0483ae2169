"""Predictions of mmseg models as labels alone, for metrics and pictures that need no logits."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from mmengine.structures import PixelData
from mmseg.models.decode_heads.cascade_decode_head import BaseCascadeDecodeHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.segmentors import CascadeEncoderDecoder, EncoderDecoder
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from mmseg.utils import OptSampleList, SampleList
from torch import Tensor, nn

from segkd_mm.deploy.label_map import upsampled_label_map
from segkd_mm.segmentors.base import ForeignSegmentor
from segkd_mm.segmentors.torchvision_segmentor import TorchvisionSegmentor

# Models whose prediction is their `_forward`, upsampled to the size of the input; of their heads,
# those that predict as the base classes do. Whoever overrides any of it predicts something else.
SEGMENTORS = EncoderDecoder, CascadeEncoderDecoder, ForeignSegmentor, TorchvisionSegmentor
OF_SEGMENTORS = (
    'predict',
    'inference',
    'whole_inference',
    'encode_decode',
    '_forward',
    'postprocess_result',
)
HEADS = BaseDecodeHead, BaseCascadeDecodeHead
OF_HEADS = 'predict', 'predict_by_feat'


@contextmanager
def labels_only(model: BaseSegmentor) -> Iterator[None]:
    """Inside the block, predictions have ``pred_sem_seg`` as ever but no ``seg_logits``.

    That is much faster (see :mod:`segkd_mm.deploy.label_map`). Where a prediction is more than
    logits upsampled once, it is made in mmseg's way, with ``seg_logits``: sliding windows, images
    that were resized or flipped for the model, a single class against a threshold, and heads that
    override the prediction.
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
    if not (metas and upsamples_once(model) and all(_keeps_size(meta, size) for meta in metas)):
        return type(model).predict(model, inputs, data_samples)
    labels = upsampled_label_map(model(inputs), size, model.align_corners)
    for sample, found in zip(data_samples, labels, strict=True):
        _set_labels(sample, found)
    return data_samples


def upsamples_once(model: BaseSegmentor) -> bool:
    """Whether the model predicts by the best class of its logits, upsampled to its input once."""
    heads = getattr(model, 'decode_head', None)
    last = heads[-1] if isinstance(heads, nn.ModuleList) else heads
    return (
        (model.test_cfg or {}).get('mode', 'whole') == 'whole'
        and model.out_channels > 1
        and _behaves_like(model, SEGMENTORS, OF_SEGMENTORS)
        and (last is None or _behaves_like(last, HEADS, OF_HEADS))
    )


def _behaves_like(module: nn.Module, classes: tuple[type, ...], methods: tuple[str, ...]) -> bool:
    """Whether the module has all these methods from one of the classes."""
    return any(
        all(getattr(type(module), name, None) is getattr(kind, name) for name in methods)
        for kind in classes
    )


def _keeps_size(meta: dict, size: tuple[int, int]) -> bool:
    """Whether the model's input of that size is the image as it was, padding aside."""
    left, right, top, bottom = _padding(meta)
    upsampled_to = tuple(meta.get('pad_shape', meta['img_shape'])[:2])
    image = size[0] - top - bottom, size[1] - left - right
    return upsampled_to == size and image == tuple(meta['ori_shape'][:2]) and not meta.get('flip')


def _padding(meta: dict) -> tuple[int, int, int, int]:
    """Pixels that were added left, right, at the top and at the bottom, where mmseg looks."""
    return tuple(meta.get('img_padding_size', meta.get('padding_size', (0, 0, 0, 0))))


def _set_labels(sample: SegDataSample, labels: Tensor) -> None:
    """Give the sample its labels [H, W], less the padding."""
    left, right, top, bottom = _padding(sample.metainfo)
    height, width = labels.shape
    image = labels[None, top : height - bottom, left : width - right]
    sample.set_data({'pred_sem_seg': PixelData(data=image)})
