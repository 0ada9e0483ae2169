"""JSON files that are checked as they are read: an error names the file and the key."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NUMBER = int, float


class JsonFileError(ValueError):
    """A JSON file that is damaged, lacks a key, or has a value of another type."""


class JsonObject(dict):
    """A JSON object of a file; a key that it does not have is an error that names the file.

    Attributes:
        file: The file.
        place: Keys that lead to the object, each with a dot after it.
        advice: What to do about an error.
    """

    file: str | os.PathLike = ''
    place = advice = ''

    def __missing__(self, key: str) -> None:
        raise JsonFileError(f'{self.file}: found no key {self.place}{key}. {self.advice}')

    def check(self, kinds: Mapping[str, type | tuple[type, ...]], finite: bool = True) -> None:
        """Check the types of values that are there; of numbers, if asked for, that they are finite.

        Raises:
            JsonFileError: One has another type.
        """
        for key, kind in kinds.items():
            if key in self and not _is_of(self[key], kind, finite):
                raise JsonFileError(
                    f'{self.file}: found {self.place}{key}={self[key]!r:.80}, expected '
                    f'{_name(kind)}. {self.advice}'
                )


def read_object(file: str | os.PathLike, what: str, advice: str) -> JsonObject:
    """Read a JSON file that holds an object.

    Args:
        file: The file.
        what: What it is, for errors, such as 'a result file'.
        advice: What to do about an error.

    Raises:
        JsonFileError: It is no JSON, or no object.
        OSError: It cannot be read.
    """
    try:
        return parsed_object(Path(file).read_bytes(), file, advice)
    except JsonFileError as error:
        raise JsonFileError(
            f'{file}: not {what}: {str(error).removeprefix(f"{file}: ")}'
        ) from error


def parsed_object(text: str | bytes, file: str | os.PathLike, advice: str) -> JsonObject:
    """The JSON object in a text of a file.

    Raises:
        JsonFileError: It is no JSON, or no object.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise JsonFileError(f'{file}: found no JSON ({error}). {advice}') from error
    if not isinstance(content, dict):
        raise JsonFileError(
            f'{file}: found a JSON {type(content).__name__}, expected an object. {advice}'
        )
    return _named(content, file, advice, '')


def _named(node: Any, file: str | os.PathLike, advice: str, place: str) -> Any:
    """The node with each object in it, also in lists, as a :class:`JsonObject`."""
    if isinstance(node, list):
        return [_named(one, file, advice, f'{place}{i}.') for i, one in enumerate(node)]
    if not isinstance(node, dict):
        return node
    named = JsonObject((k, _named(v, file, advice, f'{place}{k}.')) for k, v in node.items())
    named.file, named.advice, named.place = file, advice, place
    return named


def _is_of(value: Any, kind: type | tuple[type, ...], finite: bool) -> bool:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) and (
        not finite or not isinstance(value, float) or math.isfinite(value)
    )


def _name(kind: type | tuple[type, ...]) -> str:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return ' or '.join('null' if one is type(None) else one.__name__ for one in kinds)
