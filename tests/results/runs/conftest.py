"""Cells of a comparison."""

import pytest
from mmengine.config import Config

from segkd_mm.results.runs.cells import Cell, Method


@pytest.fixture
def cell(tmp_path, monkeypatch):
    """Make a cell: ``cell('plain', 0, model=...)``."""
    monkeypatch.chdir(tmp_path)

    def make(name='plain', seed=0, words=(), **config) -> Cell:
        method = Method(f'configs/{name}.py', words, Config({'model': {'type': 'A'}, **config}))
        work_dir = tmp_path / 'work' / name / str(seed)
        return Cell(method, seed, tmp_path / 'results' / name / f'{seed}.json', work_dir)

    return make
