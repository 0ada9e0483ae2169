"""Findings and reports of checks."""

from dataclasses import dataclass, field
from typing import Literal

Level = Literal['ok', 'note', 'warning', 'error']


@dataclass(frozen=True)
class Finding:
    """A finding of a check.

    Attributes:
        level: ``error``: the run would fail or the student learn nothing from the teacher;
            ``warning``: the result would likely be worse; ``note``: for information.
        text: Description.
        advice: What to change.
    """

    level: Level
    text: str
    advice: str = ''


@dataclass
class Report:
    """Report of a check.

    Attributes:
        title: Title.
        rows: Rows of :mod:`segkd_mm.results.tables`.
        findings: Findings.
        files: Of each faulty file: its split, what was found, what was expected and what to do.
    """

    title: str
    rows: list[dict] = field(default_factory=list)
    files: list[dict[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
