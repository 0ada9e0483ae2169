"""The classes of an experiment, from the command line and the values found in the masks."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from segkd_mm.datasets.folder_values import VOID_NAME, check_classes
from segkd_mm.datasets.mask_values import Colour
from segkd_mm.labels import VOID
from segkd_mm.scaffold.survey import Survey

Value = int | Colour
NAMES_FILE = 'classes.json'


@dataclass(frozen=True)
class MaskClasses:
    """Classes, and what stands for them in the masks.

    Attributes:
        names: Names in the order of their ids.
        values: Class name, or 'void', of each id or colour; empty where ids are the classes' own.
        pixels: Of each class, in the masks that were looked at.
        void: Pixels without a class.
    """

    names: list[str]
    values: dict[Value, str]
    pixels: dict[str, int]
    void: int

    @property
    def options(self) -> dict:
        """Options ``colors`` and ``label_map`` of ``FolderDataset`` for these values."""
        if not any(isinstance(value, tuple) for value in self.values):
            return {'label_map': self.values} if self.values else {}
        colors: dict[str, list[Colour]] = {}
        for colour, name in self.values.items():
            colors.setdefault(name, []).append(colour)
        return {'colors': {name: of[0] if len(of) == 1 else of for name, of in colors.items()}}


def classes_of(entries: Sequence[str], found: Survey) -> MaskClasses:
    """The classes that the user names, held against the values in the masks.

    Args:
        entries: ``NAME`` each, in the order of the ids; or ``NAME=ID`` or ``NAME=RED,GREEN,BLUE``
            each, where a name may come again and 'void' counts nowhere. Without any, the names in
            ``classes.json`` beside the folder of the masks.
        found: Survey of the folders.

    Raises:
        ValueError: There is no name; names have other ids in ``classes.json``; a value in the masks
            is no class (shows all values and the option to give); or no pixel has a class.
    """
    written = _names_beside(Path(found.masks))
    _check_order(entries, written)
    entries = entries or written
    if not entries:
        raise ValueError(f'--classes is missing. {_offer(found, {})}')
    values = _values_of(entries)
    names = [name for name in dict.fromkeys(values.values() or entries) if name != VOID_NAME]
    check_classes(names)
    if not values and len(names) == 2 and set(found.values) == {0, VOID}:
        values = {0: names[0], VOID: names[1]}
    known = values or dict(enumerate(names))
    known = known if VOID in known or found.is_coloured else {**known, VOID: VOID_NAME}
    if unknown := [value for value in found.values if value not in known]:
        raise ValueError(
            f'The masks in {found.masks} hold the values {_shown(unknown, found.values)}, which '
            f'are no class. {_offer(found, known)}'
        )
    pixels = dict.fromkeys([*names, VOID_NAME], 0)
    for value, count in found.values.items():
        pixels[known[value]] += count
    void = pixels.pop(VOID_NAME)
    if not any(pixels.values()):
        raise ValueError(f'The masks in {found.masks} hold no pixel of {", ".join(names)}.')
    return MaskClasses(names, values, pixels, void)


def _names_beside(masks: Path) -> list[str]:
    for folder in (masks, masks.parent):
        file = folder / NAMES_FILE
        if file.is_file():
            return _names_in(file)
    return []


def _names_in(file: Path) -> list[str]:
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise ValueError(f'{file}: found no JSON ({error}). Correct or remove it.') from error
    names = content.get('classes') if isinstance(content, dict) else content
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f'{file}: found {content!r:.80}, expected a list of names, or one under "classes". '
            'Correct or remove it.'
        )
    return names


def _check_order(entries: Sequence[str], written: Sequence[str]) -> None:
    """Check that names without values are not those of ``classes.json`` in another order."""
    names = [*dict.fromkeys(entries)]
    if wrong := [n for i, n in enumerate(names) if n in written and written.index(n) != i]:
        raise ValueError(
            f'--classes gives {wrong[0]!r} the id {names.index(wrong[0])}, {NAMES_FILE} beside the '
            f'masks {written.index(wrong[0])}: its classes are {" ".join(map(repr, written))}. '
            'Leave --classes out, or give each name its id: NAME=ID.'
        )


def _values_of(entries: Sequence[str]) -> dict[Value, str]:
    """The values of ``NAME=VALUE`` entries; empty of names alone."""
    pairs = [entry.rpartition('=')[::2] for entry in entries if '=' in entry]
    if pairs and len(pairs) < len(entries):
        raise ValueError(
            f'--classes has {[e for e in entries if "=" not in e]} without a value and others with '
            'one; expected NAME for all or NAME=VALUE for all.'
        )
    values = {_value(text): name for name, text in pairs}
    if len(values) < len(pairs):
        raise ValueError(f'--classes has the same value twice: {" ".join(entries)}.')
    return values


def _value(text: str) -> Value:
    try:
        numbers = tuple(int(part) for part in text.split(','))
    except ValueError:
        numbers = ()
    if len(numbers) not in (1, 3):
        raise ValueError(
            f'--classes has the value {text!r}, expected an id such as 7 or a colour such as '
            '128,64,128 (red, green, blue).'
        )
    return numbers if len(numbers) == 3 else numbers[0]


def _offer(found: Survey, known: dict[Value, str]) -> str:
    """The option that would name all values, to be corrected by the user."""
    ids = (value for value in found.values if found.is_coloured or value != VOID)
    ordered = sorted(ids)
    names = [known.get(value, f'class_{number}') for number, value in enumerate(ordered)]
    entries = [f'{name}={_text(value)}' for name, value in zip(names, ordered, strict=True)]
    return (
        f'The masks hold {_shown(ordered, found.values)}. Name each, the same name for what '
        f'belongs together and void for what counts nowhere:\n  --classes {" ".join(entries)}'
    )


def _shown(values: Sequence[Value], pixels: Counter[Value]) -> str:
    total = sum(pixels.values())
    return ', '.join(f'{_text(value)} ({pixels[value] / total:.1%})' for value in values)


def _text(value: Value) -> str:
    return ','.join(map(str, value)) if isinstance(value, tuple) else str(value)
