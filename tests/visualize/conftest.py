"""What tests of several charts need: to look into the figures."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from matplotlib.figure import Figure

from segkd_mm.visualize import class_charts, curves, latency, leaderboard
from segkd_mm.visualize.style import chart


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn."""
    drawn = []

    @contextmanager
    def watched(*arguments, **named) -> Iterator[Figure]:
        with chart(*arguments, **named) as figure:
            drawn.append(figure)
            yield figure

    for module in (class_charts, curves, latency, leaderboard):
        monkeypatch.setattr(module, 'chart', watched)
    return drawn
