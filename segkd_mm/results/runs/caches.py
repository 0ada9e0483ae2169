"""Which config of a comparison makes a teacher cache that several of them use."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from segkd_mm.distill.mixture import tap_weights
from segkd_mm.results.runs.cells import Method
from segkd_mm.whole_image.store import INDEX


def cache_makers(methods: Iterable[Method]) -> dict[str, Method]:
    """For the name of each config with a cache, the config that makes it.

    Of those that share a folder it is the one that uses the most taps.

    Raises:
        ValueError: A cache is not there yet, and no config uses all taps that are needed of it.
    """
    makers: dict[str, Method] = {}
    cached = [method for method in methods if method.cache]
    for method in sorted(cached, key=lambda method: -len(_taps(method))):
        maker = makers.setdefault(os.path.abspath(method.cache), method)
        missing = _taps(method) - _taps(maker)
        if missing and not Path(method.cache, INDEX).is_file():
            raise ValueError(
                f'{maker.name} and {method.name} share the teacher cache {method.cache}, but '
                f'{", ".join(sorted(missing))} is no tap of {maker.name}. Give one of them '
                'another folder: model.teacher.cache and train_dataloader.dataset.cache.'
            )
    return {method.name: makers[os.path.abspath(method.cache)] for method in cached}


def _taps(method: Method) -> set[str]:
    """The teacher's taps of the terms; what is no term is left to the training to refuse."""
    terms = method.config.model.get('terms')
    terms = terms.values() if isinstance(terms, Mapping) else ()
    taps = [term.get('teacher') for term in terms if isinstance(term, Mapping)]
    return {name for tap in taps if isinstance(tap, str | Mapping) for name in tap_weights(tap)}
