"""What a service says of its model."""

from segkd_mm.deploy import Predictor
from segkd_mm.serve.image_check import FORMATS
from segkd_mm.serve.limits import Limits


def describe(predictor: Predictor, limits: Limits) -> dict:
    """The file, its format and runtime, its classes, and what an image may be."""
    runtime = predictor.model.runtime
    metadata = runtime.metadata
    return {
        'file': runtime.path.name,
        'runtime': runtime.engine,
        'precision': metadata['precision'],
        'classes': predictor.classes,
        'palette': predictor.palette,
        'input': {
            'formats': [*FORMATS],
            'channels': runtime.channels,
            # These two are not in older files.
            'loader': metadata.get('loader'),
            'resize': metadata.get('resize'),
            'computed_at': metadata.get('size') or _computed_at(metadata),
            'max_bytes': limits.max_bytes,
            'max_pixels': limits.max_pixels,
        },
        'output': 'PNG of class ids with a palette, at the size of the image',
    }


def _computed_at(metadata: dict) -> str:
    return 'the size that resize gives' if metadata.get('resize') else 'the size of the image'
