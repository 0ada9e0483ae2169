"""What a check has to say."""

from dataclasses import dataclass, field
from typing import Literal

Level = Literal['ok', 'note', 'warning', 'error']


@dataclass(frozen=True)
class Finding:
    """One thing that a check found, in plain words.

    ``error``: the run would fail or teach nothing; ``warning``: it would likely disappoint;
    ``note``: good to know. ``advice`` says what to change.
    """

    level: Level
    text: str
    advice: str = ''


@dataclass
class Report:
    """The result of one check: a title, rows of :mod:`segkd_mm.results.tables`, findings."""

    title: str
    rows: list[dict] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
