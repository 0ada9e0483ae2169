"""Test-time augmentation: testing with several sizes and flips of each image, by mmseg's parts."""

from collections.abc import Sequence

from mmengine.config import Config
from mmseg.models.segmentors.base import BaseSegmentor

from segkd_mm.config import base_configs

FACTORS = 0.75, 1.0, 1.25
FLIP = dict(type='RandomFlip', direction='horizontal')
# What mmseg needs to turn a prediction back.
FLIP_KEYS = 'flip', 'flip_direction'


def with_augmentation(config: Config) -> Config:
    """The same config with test-time augmentation, as mmseg's ``tools/test.py --tta`` does it.

    The ``tta_pipeline`` and ``tta_model`` of the config are used where it has them. By default the
    softmax of six predictions is averaged: see :func:`augmented_pipeline`.
    """
    config = Config(config.to_dict(), filename=config.filename)
    for dataset in base_configs(config.test_dataloader.dataset):
        dataset.pipeline = config.get('tta_pipeline') or augmented_pipeline(dataset.pipeline)
    config.model = {**config.get('tta_model', dict(type='SegTTAModel')), 'module': config.model}
    return config


def augmented_pipeline(pipeline: Sequence[dict]) -> list[dict]:
    """A test pipeline with 0.75, 1 and 1.25 of its image size, as they are and flipped sideways.

    Args:
        pipeline: Ends in ``PackSegInputs``. The size is that of its first ``Resize``, or of the
            image.

    Returns:
        It ends in ``TestTimeAug``. Masks are loaded last, so that they are not resized.
    """
    *steps, pack = pipeline
    masks = [step for step in steps if 'Annotations' in step['type']]
    images = [step for step in steps if step not in masks]
    first = next((i for i, step in enumerate(images) if step['type'] == 'Resize'), len(images))
    own = images[first] if first < len(images) else dict(type='Resize', scale_factor=1.0)
    if 'meta_keys' in pack:
        pack = {**pack, 'meta_keys': (*pack['meta_keys'], *FLIP_KEYS)}
    alternatives = [
        [_resized(own, factor) for factor in FACTORS],
        *([step] for step in images[first + 1 :]),
        [{**FLIP, 'prob': 0.0}, {**FLIP, 'prob': 1.0}],
        *([step] for step in masks),
        [pack],
    ]
    return [*images[:first], dict(type='TestTimeAug', transforms=alternatives)]


def check_averaged(model: BaseSegmentor) -> None:
    """Check that mmseg averages the predictions of a model rightly.

    Raises:
        ValueError: The model has one logit.
    """
    if model.out_channels == 1:
        raise ValueError(
            'Test-time augmentation: the model has one logit (out_channels=1), for which mmseg '
            'averages the sigmoid of a sigmoid, so that every pixel would be foreground. Test it '
            'without, or train a head of two outputs.'
        )


def _resized(resize: dict, factor: float) -> dict:
    """A ``Resize`` to ``factor`` times its size, in pixels or as a share of the image's."""
    key, number = ('scale_factor', float) if resize.get('scale') is None else ('scale', round)
    value = resize[key]
    if isinstance(value, list | tuple):
        return {**resize, key: tuple(number(one * factor) for one in value)}
    return {**resize, key: number(value * factor)}
