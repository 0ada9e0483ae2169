"""The steps of a test pipeline that an exported file names: how images are loaded and resized."""

from collections.abc import Mapping

from mmengine.config import Config

from segkd_mm.config import first_test_dataset, image_pipeline

# With the arguments that decide what an image is; others name places, or keys to them.
LOADERS = {
    'LoadImageFromFile': ('color_type', 'imdecode_backend', 'to_float32'),
    'LoadBands': ('channels',),
}
SAME = {'LoadCachedImage': 'LoadImageFromFile'}  # loaders of the same image
RESIZE = 'Resize'
RESIZE_ARGUMENTS = 'scale', 'scale_factor', 'keep_ratio', 'interpolation'
PACKING = 'PackSegInputs'


def image_loader(config: Config) -> dict:
    """The loader of images in a config's test pipeline, as an exported file names it.

    It is that of mmcv's defaults where the pipeline has another one than those of ``LOADERS``.
    """
    return known_loader(next((step for step in _steps(config) if step['type'] in LOADERS), None))


def known_loader(step: Mapping | None) -> dict:
    """A loader of images with the arguments that an exported file may give it.

    Raises:
        ValueError: It is none of ``LOADERS``.
    """
    step = step or {'type': 'LoadImageFromFile'}
    if step['type'] not in LOADERS:
        raise ValueError(f'The loader of images is {step["type"]!r}, expected one of {[*LOADERS]}.')
    return {key: step[key] for key in ('type', *LOADERS[step['type']]) if key in step}


def image_resize(config: Config) -> dict | None:
    """The ``Resize`` of images in a config's test pipeline, as an exported file names it."""
    return known_resize(next((step for step in _steps(config) if step['type'] == RESIZE), None))


def known_resize(step: Mapping | None) -> dict | None:
    """A ``Resize`` of images with the arguments that an exported file may give it; None for none.

    Raises:
        ValueError: It is another step.
    """
    if step is None:
        return None
    if step.get('type') != RESIZE:
        raise ValueError(f'Images are resized by {step.get("type")!r}, expected {RESIZE!r}.')
    known = {key: step[key] for key in RESIZE_ARGUMENTS if key in step}
    # JSON has no tuples, and mmcv takes no lists.
    pairs = {key: tuple(value) for key, value in known.items() if isinstance(value, list)}
    return {'type': RESIZE, **known, **pairs}


def steps_left_out(config: Config) -> list[str]:
    """Types of the steps of a config's test pipeline that an exported file does not name."""
    named = *LOADERS, RESIZE, PACKING
    return [step['type'] for step in _steps(config) if step['type'] not in named]


def _steps(config: Config) -> list[dict]:
    steps = image_pipeline(config) if first_test_dataset(config).get('pipeline') else []
    return [{**step, 'type': SAME.get(step['type'], step['type'])} for step in steps]
