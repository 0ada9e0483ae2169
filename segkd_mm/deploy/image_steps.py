"""The steps of a test pipeline that an exported file names: how images are loaded and resized."""

from collections.abc import Mapping

from mmcv.image.geometric import cv2_interp_codes
from mmengine.config import Config

from segkd_mm.config import first_test_dataset, image_pipeline

# With the arguments that decide what an image is; others name places, or keys to them.
LOADERS = {
    'LoadImageFromFile': ('color_type', 'imdecode_backend', 'to_float32'),
    'LoadBands': ('channels',),
}
SAME = {'LoadCachedImage': 'LoadImageFromFile'}  # loaders of the same image
RESIZE = 'Resize'
RESIZE_ARGUMENTS = 'scale', 'scale_factor', 'keep_ratio', 'interpolation', 'backend'
PACKING = 'PackSegInputs'
MOST_PIXELS = 2**15  # of a side
MOST_TIMES = 16


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
        ValueError: It is another step, or has other arguments than mmcv's ``Resize`` takes.
    """
    if step is None:
        return None
    known = {key: _without_lists(step[key]) for key in ('type', *RESIZE_ARGUMENTS) if key in step}
    known = {key: value for key, value in known.items() if value is not None}
    size = known.get('scale'), known.get('scale_factor')
    are_known = (
        known.get('type') == RESIZE,
        size.count(None) < 2,
        size[0] is None or _are_in(size[0], int, MOST_PIXELS),
        size[1] is None or _are_in(size[1], float, MOST_TIMES),
        isinstance(known.get('keep_ratio', False), bool),
        known.get('interpolation', 'bilinear') in cv2_interp_codes,
        known.get('backend', 'cv2') in ('cv2', 'pillow'),
    )
    if not all(are_known):
        raise ValueError(
            f"Images are resized by {dict(step)}, expected type='Resize' with a scale of 1 to "
            f'{MOST_PIXELS} pixels or a scale_factor up to {MOST_TIMES}, and keep_ratio, '
            'interpolation and backend as mmcv has them.'
        )
    return known


def _without_lists(value: object) -> object:
    """JSON has no tuples, and mmcv takes no lists."""
    return tuple(value) if isinstance(value, list) else value


def _are_in(value: object, kind: type, most: float) -> bool:
    """Whether a value is a number, or two, above 0 and up to another one."""
    numbers = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    return all(
        isinstance(number, kind) and not isinstance(number, bool) and 0 < number <= most
        for number in numbers
    )


def steps_left_out(config: Config) -> list[str]:
    """Types of the steps of a config's test pipeline that an exported file does not name."""
    types = [step['type'] for step in _steps(config)]
    if RESIZE in types:
        types.remove(RESIZE)  # the first one, which the file names
    return [name for name in types if name not in (*LOADERS, PACKING)]


def _steps(config: Config) -> list[dict]:
    steps = image_pipeline(config) if first_test_dataset(config).get('pipeline') else []
    types = [step['type'].rpartition('.')[2] for step in steps]  # without the scope of mmengine
    return [{**step, 'type': SAME.get(name, name)} for step, name in zip(steps, types, strict=True)]
