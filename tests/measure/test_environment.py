import os
import platform
import subprocess

import pytest
import torch

import segkd_mm
from segkd_mm.measure import environment as module
from segkd_mm.measure.environment import environment, source_state


@pytest.fixture
def checkout(tmp_path):
    def git(*words):
        subprocess.run(
            ['git', '-C', tmp_path, '-c', 'user.name=a', '-c', 'user.email=a@b', *words],
            check=True,
            capture_output=True,
        )

    (tmp_path / 'file.txt').write_text('first')
    git('init')
    git('add', 'file.txt')
    git('commit', '-m', 'first')
    return tmp_path.resolve()


def test_environment_names_software_and_machine():
    found = environment()
    assert found['python'] == platform.python_version()
    assert found['torch'] == torch.__version__
    assert found['segkd_mm'] == segkd_mm.__version__
    assert {'torchvision', 'mmengine', 'mmcv', 'mmseg', 'timm', 'platform', 'gpu'} <= set(found)
    assert found['cores'] == os.cpu_count()
    assert found['cpu']


def test_source_state_of_a_checkout(checkout):
    (checkout / 'result.json').write_text('new and not tracked')
    state = source_state(checkout)
    assert len(state['commit']) == 40
    assert state['dirty'] is False
    (checkout / 'file.txt').write_text('second')
    assert source_state(checkout) == {'commit': state['commit'], 'dirty': True}


def test_folder_inside_another_checkout_has_no_commit(checkout):
    inside = checkout / 'site-packages'
    inside.mkdir()
    assert source_state(inside) == {'commit': None, 'dirty': None}


def test_no_git_is_no_error(tmp_path, monkeypatch):
    def missing(*_words, **_options):
        raise FileNotFoundError('git')

    monkeypatch.setattr(module.subprocess, 'run', missing)
    assert source_state(tmp_path) == {'commit': None, 'dirty': None}
