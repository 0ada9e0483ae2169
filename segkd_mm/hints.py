"""Near names for error messages."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str], count: int = 3, cutoff: float = 0.6) -> str:
    """`` (did you mean 'a' or 'b'?)`` of the known names that are close, or an empty string.

    Upper and lower case, spaces, ``-`` and ``_`` do not count.

    Args:
        name: What was given.
        known: What exists.
        count: Name at most so many.
        cutoff: Lowest similarity, as of :func:`difflib.get_close_matches`.
    """
    names = {simplified(one): one for one in known}
    close = [repr(names[key]) for key in get_close_matches(simplified(name), names, count, cutoff)]
    if not close:
        return ''
    listed = ' or '.join([', '.join(close[:-1]), close[-1]] if close[1:] else close)
    return f' (did you mean {listed}?)'


def simplified(name: str) -> str:
    """The name without what a typist may get wrong: case, spaces, ``-`` and ``_``."""
    return name.casefold().replace(' ', '').replace('_', '').replace('-', '')
