"""What tests of whole-image teachers share: a config's teacher, nested in one of whole images."""

from collections.abc import Callable

import pytest
from mmengine.config import Config, ConfigDict

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
