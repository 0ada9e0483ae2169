"""Segmentation models of Hugging Face transformers as mmseg segmentors."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.json_files import read_object
from segkd_mm.libraries import import_library
from segkd_mm.segmentors.base import ForeignSegmentor
from segkd_mm.segmentors.normalisation import IMAGENET_MEAN, IMAGENET_STD, preprocessor_config
from segkd_mm.weights import WeightsError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

MASK_CLASSIFIERS = ('mask2former', 'maskformer')
OF_A_FOLDER = {'_name_or_path', 'auto_map'}  # where a config came from, and code beside it


@MODELS.register_module()
class TransformersSegmentor(ForeignSegmentor):
    """A segmentation model of Hugging Face transformers as an mmseg segmentor.

    SegFormer, UperNet, DPT, BEiT and others give their logits; the masks and classes of Mask2Former
    and MaskFormer become dense logits. Code from a hub is never run.

    Source: https://github.com/huggingface/transformers.

    Args:
        name: A folder with ``config.json``, a model of the hub (``owner/name``), or the config
            itself as a dict with ``model_type``. It gives only the architecture; weights are loaded
            like any segmentor's, from the same folder or from ``hf://owner/name``
            (:func:`segkd_mm.weights.read_state_dict`).
        num_classes: By default the config's.
        data_preprocessor: By default the normalisation in the model's
            ``preprocessor_config.json``, or ImageNet's if there is no such file.
        settings: Further arguments of :class:`ForeignSegmentor`.

    Raises:
        ImportError: transformers is not installed.
        ValueError: The model is not a segmentation model.
        WeightsError: The config cannot be read or downloaded.
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
            _build(config),
            config.num_labels,
            data_preprocessor or _preprocessor_config(name),
            **settings,
        )

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Class names; None if the model has no names for them."""
        names = self.net.config.id2label
        named = any(name != f'LABEL_{index}' for index, name in names.items())
        return tuple(names[index] for index in sorted(names)) if named else None

    def dense_logits(self, inputs: Tensor) -> Tensor:
        """Compute logits [N, num_classes, h, w]; :func:`mask_logits` for mask classifiers."""
        kind = self.net.config.model_type
        if kind == 'upernet':
            # UperNet's own forward also runs the auxiliary head and upsamples the logits.
            return self.net.decode_head(self.net.backbone(inputs).feature_maps)
        outputs = self.net(pixel_values=inputs)
        if kind in MASK_CLASSIFIERS:
            return mask_logits(outputs.class_queries_logits, outputs.masks_queries_logits)
        return outputs.logits

    def to_own_keys(self, state: Mapping[str, Tensor], source: str | Path) -> dict[str, Tensor]:
        """Rename weight keys of older versions of transformers to those of the installed one.

        Missing keys stay missing and unexpected ones stay in the result, so that
        :func:`segkd_mm.weights.check_fit` reports them.
        """
        with _without_bar():
            net, found = type(self.net).from_pretrained(
                None,
                config=self.net.config,
                state_dict=dict(state),
                dtype=torch.float32,
                ignore_mismatched_sizes=True,
                output_loading_info=True,
            )
        missing = _without_ignored(net, found['missing_keys'], '_keys_to_ignore_on_load_missing')
        unexpected = _without_ignored(
            net, found['unexpected_keys'], '_keys_to_ignore_on_load_unexpected'
        )
        shapes = dict.fromkeys(unexpected, 0)
        shapes |= {key: shape for key, shape, _ in found['mismatched_keys']}
        return {
            **{key: value for key, value in net.state_dict().items() if key not in missing},
            **{key: torch.empty(shape, device='meta') for key, shape in shapes.items()},
        }


def without_folder(model: Mapping) -> dict:
    """The config of a model with the contents of a local folder of transformers in its place.

    So that it builds the model on machines that do not have the folder. Others stay as they are.
    """
    name = model.get('name')
    is_own = str(model.get('type')).endswith(TransformersSegmentor.__name__)
    if not (is_own and isinstance(name, str) and Path(name).is_dir()):
        return dict(model)
    config = read_object(Path(name, 'config.json'), 'a config of transformers', 'Save it again.')
    normalisation = model.get('data_preprocessor') or _preprocessor_config(name)
    return {**model, 'name': _without_places(config), 'data_preprocessor': normalisation}


def _without_places(config: Mapping) -> dict:
    kept = {key: value for key, value in config.items() if key not in OF_A_FOLDER}
    return {k: _without_places(v) if isinstance(v, Mapping) else v for k, v in kept.items()}


@contextmanager
def _without_bar() -> Iterator[None]:
    """Context without the progress bar of transformers: weights in memory take no time."""
    bars = import_library('transformers.utils.logging', 'transformers')
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


def _without_ignored(net: nn.Module, keys: set[str], attribute: str) -> set[str]:
    """Remove the keys that a submodule's attribute declares as ignorable by patterns."""
    # transformers does not read this attribute of Mask2Former's backbone.
    patterns = [one for part in net.modules() for one in getattr(part, attribute, None) or ()]
    return {key for key in keys if not any(re.search(pattern, key) for pattern in patterns)}


def mask_logits(classes: Tensor, masks: Tensor) -> Tensor:
    """Dense logits of a mask classifier; their softmax is its normalised score of each class.

    log sum_q softmax(classes)[q, c] sigmoid(masks)[q, y, x], without the class "no object": the log
    of the scores whose argmax transformers' ``post_process_semantic_segmentation`` takes.
    Source: MaskFormer, arXiv 2107.06278, section 3.4.

    Args:
        classes: Class logits of each query, "no object" last, [N, Q, C + 1].
        masks: Mask logits of each query, [N, Q, h, w].

    Returns:
        [N, C, h, w] in float32, finite.
    """
    with torch.autocast(classes.device.type, enabled=False):
        scores = classes.float().softmax(-1)[..., :-1]
        dense = torch.einsum('nqc,nqhw->nchw', scores, masks.float().sigmoid())
    return dense.clamp(min=torch.finfo(torch.float32).tiny).log()


def _config(name: str | dict) -> 'PreTrainedConfig':
    auto = import_library('transformers', 'transformers').AutoConfig
    if isinstance(name, dict):
        return auto.for_model(**name)
    if Path(name).is_dir() and not Path(name, 'config.json').is_file():
        raise WeightsError(
            f'The folder {name} has no config.json; give a folder of a transformers model.'
        )
    try:
        return auto.from_pretrained(name, trust_remote_code=False)
    except OSError as error:
        raise WeightsError(
            f'{name} is no folder (looked in {Path.cwd()}), and could not be downloaded from the '
            f'hub ({str(error).splitlines()[0]}). Where the hub can be reached, run '
            f'`hf download {name} --local-dir DIR`, and give DIR instead of the name.'
        ) from error


def _build(config: 'PreTrainedConfig') -> nn.Module:
    transformers = import_library('transformers', 'transformers')
    if config.model_type in MASK_CLASSIFIERS:
        auto = transformers.AutoModelForUniversalSegmentation
    elif type(config) in transformers.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING:
        auto = transformers.AutoModelForSemanticSegmentation
    else:
        dense = [c.model_type for c in transformers.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING]
        raise ValueError(
            f'model_type is {config.model_type!r}, which is no segmentation model; expected one of '
            f'{", ".join([*dense, *MASK_CLASSIFIERS])}.'
        )
    return auto.from_config(config, dtype=torch.float32, trust_remote_code=False)


def _preprocessor_config(name: str | dict) -> dict:
    auto = import_library('transformers', 'transformers').AutoImageProcessor
    try:
        own = auto.from_pretrained(name, trust_remote_code=False).to_dict()
    except (OSError, TypeError):  # no such file, or a config as a dict
        return preprocessor_config()
    scale = 1 / own.get('rescale_factor', 1 / 255) if own.get('do_rescale', True) else 1
    bgr_to_rgb = not own.get('do_flip_channel_order')
    if not own.get('do_normalize'):
        return preprocessor_config([0] * 3, [1] * 3, scale, bgr_to_rgb)
    mean, std = own.get('image_mean', IMAGENET_MEAN), own.get('image_std', IMAGENET_STD)
    return preprocessor_config(mean, std, scale, bgr_to_rgb)
