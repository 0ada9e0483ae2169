"""Which config of a comparison makes a teacher cache that several of them use."""

from collections.abc import Iterable
from pathlib import Path

from segkd_mm.distill.distiller import tap_names
from segkd_mm.results.runs.cells import Method
from segkd_mm.whole_image.store import INDEX


def cache_makers(methods: Iterable[Method]) -> dict[str, Method]:
    """For the folder of each cache the config that makes it: the one that uses the most taps.

    Raises:
        ValueError: A cache is not there yet, and no config uses all taps that are needed of it.
    """
    makers: dict[str, Method] = {}
    cached = [method for method in methods if method.cache]
    for method in sorted(cached, key=lambda method: -len(_taps(method))):
        maker = makers.setdefault(method.cache, method)
        missing = _taps(method) - _taps(maker)
        if missing and not Path(method.cache, INDEX).is_file():
            raise ValueError(
                f'{maker.name} and {method.name} share the teacher cache {method.cache}, but '
                f'{", ".join(sorted(missing))} is no tap of {maker.name}. Give one of them '
                'another folder: model.teacher.cache and train_dataloader.dataset.cache.'
            )
    return makers


def _taps(method: Method) -> set[str]:
    """The teacher's taps of the terms; a term without any is left to the training to refuse."""
    terms = (method.config.model.get('terms') or {}).values()
    return {tap for term in terms for tap in tap_names(term.get('teacher', ()))}
