"""Segmentation models of Hugging Face transformers as mmseg segmentors."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.segmentors.base import ForeignSegmentor
from segkd_mm.segmentors.libraries import library
from segkd_mm.segmentors.normalisation import IMAGENET_MEAN, IMAGENET_STD, preprocessor
from segkd_mm.weights import WeightsError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

MASK_CLASSIFIERS = ('mask2former', 'maskformer')


@MODELS.register_module()
class TransformersSegmentor(ForeignSegmentor):
    """SegFormer, UperNet, DPT, BEiT, ... as they are; Mask2Former and MaskFormer as dense logits.

    Source: https://github.com/huggingface/transformers. Its code alone is run, never a hub's.

    Args:
        name: A folder with ``config.json``, a model of the hub (``owner/name``), or the config
            itself as a dict with ``model_type``. It gives the architecture; weights are loaded
            like any segmentor's, from the same folder or from ``hf://owner/name``
            (:func:`segkd_mm.weights.read_state_dict`).
        num_classes: By default the config's.
        data_preprocessor: By default the normalisation in the model's
            ``preprocessor_config.json``, and ImageNet's where there is none.
        settings: Others of :class:`ForeignSegmentor`.

    Raises:
        ImportError: transformers is not installed.
        ValueError: The model is not for segmentation.
        WeightsError: The config cannot be had.
    """

    def __init__(
        self,
        name: str | dict,
        num_classes: int | None = None,
        data_preprocessor: dict | None = None,
        **settings: dict | None,
    ) -> None:
        config = _config(name)
        if num_classes is not None:
            config.num_labels = num_classes
        super().__init__(
            _build(config), config.num_labels, data_preprocessor or _preprocessor(name), **settings
        )

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes; None where the model has none."""
        names = self.net.config.id2label
        named = any(name != f'LABEL_{index}' for index, name in names.items())
        return tuple(names[index] for index in sorted(names)) if named else None

    def dense_logits(self, inputs: Tensor) -> Tensor:
        """Logits [N, num_classes, h, w]; of mask classifiers :func:`mask_logits`."""
        kind = self.net.config.model_type
        if kind == 'upernet':
            # Its own forward upsamples to the size of the images, in the auxiliary head too.
            return self.net.decode_head(self.net.backbone(inputs).feature_maps)
        outputs = self.net(pixel_values=inputs)
        if kind in MASK_CLASSIFIERS:
            return mask_logits(outputs.class_queries_logits, outputs.masks_queries_logits)
        return outputs.logits

    def to_own_keys(self, state: Mapping[str, Tensor], source: str | Path) -> dict[str, Tensor]:
        """Give weights the keys of this version of transformers; its files keep to older ones.

        What is missing stays missing and what does not fit stays there, for
        :func:`segkd_mm.weights.check_fit` to complain of.
        """
        net, found = type(self.net).from_pretrained(
            None,
            config=self.net.config,
            state_dict=dict(state),
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        missing = _less_ignored(net, found['missing_keys'], '_keys_to_ignore_on_load_missing')
        odd = _less_ignored(net, found['unexpected_keys'], '_keys_to_ignore_on_load_unexpected')
        shapes = {key: shape for key, shape, _ in found['mismatched_keys']}
        return {
            **{key: value for key, value in net.state_dict().items() if key not in missing},
            **{key: torch.empty(shapes.get(key, 0), device='meta') for key in [*odd, *shapes]},
        }


def _less_ignored(net: nn.Module, keys: set[str], ignored: str) -> set[str]:
    # Parts of a model say which keys of older files are of no use, and which need not be there
    # since nothing uses them. transformers does not ask the backbone of Mask2Former.
    patterns = [one for part in net.modules() for one in getattr(part, ignored, None) or ()]
    return {key for key in keys if not any(re.search(pattern, key) for pattern in patterns)}


def mask_logits(classes: Tensor, masks: Tensor) -> Tensor:
    """Dense logits of masks with classes: their softmax is the score of each class, normalised.

    log sum_q softmax(classes)[q, c] sigmoid(masks)[q, y, x], without the class 'nothing': the log
    of what transformers' ``post_process_semantic_segmentation`` takes the best class of.
    Source: MaskFormer, arXiv 2107.06278, section 3.4.

    Args:
        classes: Class logits of each mask, 'nothing' last, [N, Q, C + 1].
        masks: Mask logits, [N, Q, h, w].

    Returns:
        [N, C, h, w] in float32, finite.
    """
    with torch.autocast(classes.device.type, enabled=False):
        scores = classes.float().softmax(-1)[..., :-1]
        dense = torch.einsum('nqc,nqhw->nchw', scores, masks.float().sigmoid())
    return dense.clamp(min=torch.finfo(torch.float32).tiny).log()


def _config(name: str | dict) -> 'PreTrainedConfig':
    auto = library('transformers', 'transformers').AutoConfig
    if isinstance(name, dict):
        return auto.for_model(**name)
    if Path(name).is_dir() and not Path(name, 'config.json').is_file():
        raise WeightsError(f'The folder {name} has no config.json of transformers.')
    try:
        return auto.from_pretrained(name, trust_remote_code=False)
    except OSError as error:
        raise WeightsError(
            f'{name} is no folder (looked in {Path.cwd()}), and the hub does not give it '
            f'({str(error).splitlines()[0]}). Get it where the hub can be reached, by '
            f'`hf download {name} --local-dir DIR`, and give DIR in place of the name.'
        ) from error


def _build(config: 'PreTrainedConfig') -> nn.Module:
    transformers = library('transformers', 'transformers')
    if config.model_type in MASK_CLASSIFIERS:
        auto = transformers.AutoModelForUniversalSegmentation
    elif type(config) in transformers.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING:
        auto = transformers.AutoModelForSemanticSegmentation
    else:
        dense = [c.model_type for c in transformers.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING]
        raise ValueError(
            f'A model of the type {config.model_type!r} has no dense logits; these have: '
            f'{", ".join([*dense, *MASK_CLASSIFIERS])}.'
        )
    return auto.from_config(config, dtype=torch.float32, trust_remote_code=False)


def _preprocessor(name: str | dict) -> dict:
    auto = library('transformers', 'transformers').AutoImageProcessor
    try:
        own = auto.from_pretrained(name, trust_remote_code=False).to_dict()
    except (OSError, TypeError):  # no file; a config as a dict
        return preprocessor()
    scale = 1 / own.get('rescale_factor', 1 / 255) if own.get('do_rescale', True) else 1
    bgr_to_rgb = not own.get('do_flip_channel_order')
    if not own.get('do_normalize'):
        return preprocessor([0] * 3, [1] * 3, scale, bgr_to_rgb)
    mean, std = own.get('image_mean', IMAGENET_MEAN), own.get('image_std', IMAGENET_STD)
    return preprocessor(mean, std, scale, bgr_to_rgb)
