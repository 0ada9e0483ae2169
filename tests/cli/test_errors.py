import logging
from pathlib import Path

import pytest
import torch
from mmengine.logging import MMLogger
from mmseg.registry import MODELS
from torch.utils.data import DataLoader, Dataset

from segkd_mm.cli.errors import user_errors
from segkd_mm.cli.main import main
from segkd_mm.config import load_config
from segkd_mm.datasets.sample_error import sample_error
from segkd_mm.schedule import set_epochs


class Faulty(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise sample_error('a.png', 'the ids [9]', '0 to 7', 'Correct the mask.')


def test_an_error_of_a_check_is_one_message_with_exit_code_1(capsys):
    with pytest.raises(SystemExit) as done:
        main(['train', 'student/mnv3s_slim_vox.py'])
    assert done.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith('error: No config student/mnv3s_slim_vox.py (did you mean')
    assert 'Traceback' not in said


def test_an_unknown_option_ends_with_the_usage_of_its_command_and_near_names(capsys):
    with pytest.raises(SystemExit) as done:
        main(['new', '--images', 'a', '--masks', 'b', '--out', 'c.py', '--clases', 'road'])
    assert done.value.code == 2
    said = capsys.readouterr().err
    assert 'usage: segkd new' in said
    assert "unrecognized arguments: --clases road (did you mean '--classes'?)" in said


@pytest.mark.parametrize('value', ["[dict(type='A',b=1)]", '[a,(b]'])
def test_an_option_of_the_config_that_mmengine_cannot_parse_is_named(value, capsys):
    with pytest.raises(SystemExit) as done:
        main(['train', 'a.py', '--cfg-options', f'pipeline={value}'])
    assert done.value.code == 2
    assert f'found {f"pipeline={value}"!r}, expected words, numbers' in capsys.readouterr().err


def test_with_traceback_it_is_shown_before_the_message(capsys):
    with pytest.raises(SystemExit):
        main(['train', 'nix.py', '--traceback'])
    said = capsys.readouterr().err
    assert said.startswith('Traceback')
    assert '\nerror: No config nix.py' in said


def test_a_type_that_does_not_exist_is_explained(capsys):
    config = load_config('student/mnv3s_slim_shapes.py')
    config.model.type = 'EncoderDecodr'
    with pytest.raises(SystemExit), user_errors():
        MODELS.build(config.model)
    assert (
        "error: no model is registered as 'EncoderDecodr' (did you mean" in capsys.readouterr().err
    )


def test_an_error_of_a_worker_process_is_its_message_alone(capsys):
    with pytest.raises(SystemExit), user_errors():
        next(iter(DataLoader(Faulty(), num_workers=1)))
    said = capsys.readouterr().err
    assert said.startswith('error: a.png: found the ids [9], expected 0 to 7')
    assert 'Traceback' not in said


def of_the_system():
    Path('/nowhere/at/all').read_text()


def in_a_statement():
    set_epochs(None, 3)


def in_a_library():
    torch.zeros(2) + torch.zeros(3)


def test_what_the_system_refuses_is_the_users(capsys):
    with pytest.raises(SystemExit), user_errors():
        of_the_system()
    assert 'No such file or directory' in capsys.readouterr().err


@pytest.mark.parametrize('fault', [in_a_statement, in_a_library])
def test_a_fault_of_the_program_keeps_its_traceback(fault):
    with pytest.raises((AttributeError, TypeError, RuntimeError)), user_errors():
        fault()


def test_the_log_file_of_a_run_gets_the_traceback(tmp_path, capsys):
    log = tmp_path / 'run.log'
    logger = MMLogger.get_instance('of_this_test', log_file=str(log))
    logging.disable(logging.NOTSET)
    with pytest.raises(SystemExit), user_errors():
        of_the_system()
    assert 'in of_the_system' in log.read_text()
    for handler in logger.handlers:
        handler.close()
    MMLogger._instance_dict.pop('of_this_test')


def test_ctrl_c_that_a_library_took_for_its_own_error_is_ctrl_c():
    with pytest.raises(KeyboardInterrupt), user_errors():
        try:
            raise KeyboardInterrupt
        except:  # noqa: E722  as mmengine formats a config
            raise SyntaxError('Failed to format the config file')  # noqa: B904
