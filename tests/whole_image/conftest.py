"""What tests of whole-image teachers share: a config's teacher, nested in one of whole images."""

from collections.abc import Callable

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmseg.registry import MODELS

from segkd_mm.config import load_config

OWN = ('cache', 'view', 'stride')  # options of a teacher of whole images


@pytest.fixture
def nest() -> Callable[..., Config]:
    """``nest(config, 'CachedTeacher', cache=..., stride=4, precision='fp32')``."""

    def change(config: Config, kind: str, **options) -> Config:
        inner = config.model.teacher.get('teacher', config.model.teacher)
        own = {key: options.pop(key) for key in OWN if key in options}
        inner = ConfigDict(**{**inner, **options})
        config.model.teacher = ConfigDict(type=kind, teacher=inner, **own)
        return config

    return change


@pytest.fixture
def join(tmp_path) -> Callable[..., Config]:
    """Make the teacher of whole images an ensemble: its own, 'a', and 'b' of other weights.

    The term of the logits learns from both, from 'a' three times as much: ``join(config)``.
    """

    def change(config: Config) -> Config:
        torch.manual_seed(8)
        other = MODELS.build(load_config('teacher/mnv3s_wide_shapes.py').model)
        torch.save(other.state_dict(), tmp_path / 'other.pth')
        inner, term = config.model.teacher.teacher, config.model.terms.logits
        members = {'a': inner, 'b': {**inner, 'checkpoint': str(tmp_path / 'other.pth')}}
        config.model.teacher.teacher = ConfigDict(type='TeacherEnsemble', members=members)
        term.teacher = {f'a.{term.teacher}': 3.0, f'b.{term.teacher}': 1.0}
        return config

    return change
