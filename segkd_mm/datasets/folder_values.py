"""What the values in the masks of a folder stand for, from names to class ids."""

from collections.abc import Iterable, Mapping, Sequence

from segkd_mm.datasets.mask_values import MAX_CLASSES, Colour, CompleteMap
from segkd_mm.hints import did_you_mean
from segkd_mm.labels import VOID

VOID_NAME = 'void'


def check_classes(classes: Sequence[str]) -> None:
    """Check the list of classes.

    Raises:
        ValueError: It is empty, too long, or has a name twice.
    """
    twice = sorted({name for name in classes if list(classes).count(name) > 1})
    if isinstance(classes, str) or twice or not 1 <= len(classes) <= MAX_CLASSES:
        found = f'{twice} twice' if twice else f'{classes!r}'
        raise ValueError(f'classes has {found}, expected a list of 1 to {MAX_CLASSES} names.')


def map_of_values(
    classes: Sequence[str],
    colors: Mapping[str, Colour | Sequence[Colour]] | None,
    label_map: Mapping[int | str, str] | None,
) -> CompleteMap | None:
    """The class id of each value in the masks; None where the values are the class ids.

    Raises:
        ValueError: A name is not known, a class has no value, or two names have one colour.
    """
    if colors is None and label_map is None:
        return None
    named = _named_values(colors, label_map or {})
    ids = {value: _id_of(name, classes) for value, name in named}
    unmapped = [name for i, name in enumerate(classes) if i not in ids.values()]
    if unmapped:
        source = 'label_map' if colors is None else 'colors'
        raise ValueError(
            f'{source} has nothing for the classes {unmapped}, so that they cannot occur. Add it, '
            'or remove them from classes.'
        )
    if len(ids) < len(named):
        raise ValueError(f'colors has the same colour twice: {dict(colors)}.')
    return CompleteMap(ids)


def _named_values(
    colors: Mapping[str, Colour | Sequence[Colour]] | None, label_map: Mapping[int | str, str]
) -> list[tuple[int | Colour, str]]:
    """Pairs of a value in the files and the name of its class."""
    known = colors or {}
    for key in label_map:
        if (not isinstance(key, int)) if colors is None else (key not in known):
            expected = f'names of colors{did_you_mean(str(key), known)}' if known else 'ids'
            raise ValueError(f'label_map has the key {key!r}, expected {expected}.')
    if colors is None:
        return [*label_map.items()]
    return [
        (tuple(colour), label_map.get(name, name))
        for name, given in colors.items()
        for colour in colours_of(given)
    ]


def colours_of(given: Colour | Sequence[Colour]) -> Sequence[Colour]:
    """The colours of a name in ``colors``, which is one or a list of them."""
    return [given] if isinstance(given[0], int) else given


def _id_of(name: str, classes: Sequence[str]) -> int:
    if name in classes:
        return list(classes).index(name)
    if name == VOID_NAME:
        return VOID
    raise ValueError(
        f'{name!r} is no class{did_you_mean(str(name), classes)}; expected one of '
        f'{_listed(classes)} or {VOID_NAME!r}. Map it with label_map={{{name!r}: CLASS}}.'
    )


def _listed(names: Iterable[str]) -> str:
    return ', '.join(map(repr, names))
