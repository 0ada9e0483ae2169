import pytest
from run_command import run_command

from segkd_mm.commands import COMMANDS


def test_the_completion_of_a_shell_has_every_command_and_its_options(capsys):
    pytest.importorskip('shtab')
    run_command('completion', 'bash')
    said = capsys.readouterr().out
    assert all(f' {name}' in said or f'({name}' in said for name in COMMANDS)
    assert '--work-dir' in said
