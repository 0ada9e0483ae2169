import pytest

from segkd_mm import commands
from segkd_mm.commands import COMMANDS, command, with_commands


@pytest.mark.parametrize(
    ('started', 'name', 'expected'),
    [
        ('tools/train.py', 'new', 'python tools/new_experiment.py'),
        ('tools/train.py', 'configs', 'python -m segkd_mm configs'),
        ('/venv/bin/segkd', 'train', 'segkd train'),
        ('/usr/lib/segkd_mm/__main__.py', 'train', 'python -m segkd_mm train'),
        ('/usr/lib/pytest/__main__.py', 'train', 'python tools/train.py'),
    ],
)
def test_a_command_is_called_as_this_process_was(monkeypatch, started, name, expected):
    monkeypatch.chdir(commands.TOOLS.parent)
    monkeypatch.setattr('sys.argv', [started])
    assert command(name) == expected


def test_elsewhere_the_script_is_named_by_its_whole_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert command('train') == f'python {commands.TOOLS}/train.py'


def test_without_tools_the_console_command_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(commands, 'TOOLS', tmp_path / 'tools')
    assert command('train') == 'segkd train'


def test_texts_name_the_commands_that_are_there(monkeypatch):
    monkeypatch.setattr('sys.argv', ['segkd'])
    monkeypatch.chdir(commands.TOOLS.parent)
    text = 'segkd print-config X, then segkd train; segkd_mm.load and segkd tests stay'
    assert with_commands(text) == text
    monkeypatch.setattr('sys.argv', ['tools/train.py'])
    assert with_commands(text) == (
        'python tools/print_config.py X, then python tools/train.py; segkd_mm.load and segkd tests '
        'stay'
    )


def test_every_tool_is_a_command():
    scripts = {path.stem for path in commands.TOOLS.glob('[a-z]*.py')}
    assert scripts <= set(COMMANDS.values())
