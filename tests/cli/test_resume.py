"""What `segkd train` does about an earlier end of the training."""

import pytest
import torch
from mmengine.config import Config

from segkd_mm.cli import train as train_module
from segkd_mm.cli.main import main
from segkd_mm.cli.train import check_same_start, choose_checkpoint
from segkd_mm.hooks import Stopped
from segkd_mm.results.lock import locked


def save(path, iteration):
    torch.save({'meta': {'iter': iteration}, 'state_dict': {'a': torch.ones(99)}}, path)
    (path.parent / 'last_checkpoint').write_text(str(path))


def test_a_training_goes_on_from_the_newest_whole_checkpoint_and_says_so(tmp_path, capsys):
    config = Config(dict(work_dir=str(tmp_path), resume=True, load_from='start.pth'))
    choose_checkpoint(config)
    assert (config.resume, config.load_from) == (False, 'start.pth')
    first, second = tmp_path / 'epoch_1.pth', tmp_path / 'epoch_2.pth'
    save(first, 4)
    save(second, 8)
    config.resume = True
    choose_checkpoint(config)
    assert (config.resume, config.load_from) == (True, str(second))
    assert capsys.readouterr().out == ''

    second.write_bytes(second.read_bytes()[:500])
    choose_checkpoint(config)
    assert (config.resume, config.load_from) == (True, str(first))
    said = capsys.readouterr().out
    assert f'warning: {second} is not whole: File is not a zip file\n' in said
    assert f'Resumes from {first}.' in said

    first.unlink()
    config.load_from = None
    choose_checkpoint(config)
    assert (config.resume, config.load_from) == (False, None)
    assert 'Resumes from the beginning, as no checkpoint is whole.' in capsys.readouterr().out


def test_processes_that_would_go_on_from_different_states_stop(monkeypatch):
    config = Config(dict(work_dir='work', resume=True, load_from='there/epoch_1.pth'))
    monkeypatch.setattr(train_module, 'all_gather_object', lambda own: [own, 'epoch_1.pth'])
    check_same_start(config)
    config.resume = False
    each = 'process 0 no checkpoint, process 1 epoch_1.pth'
    with pytest.raises(ValueError, match=rf'{each}\. .* one work directory.* this is work'):
        check_same_start(config)


def test_an_address_is_no_work_directory(capsys):
    with pytest.raises(SystemExit):
        main(['train', 'student/mnv3s_slim_shapes.py', '--work-dir', 's3://bucket/run'])
    assert 'error: The work directory s3://bucket/run is an address' in capsys.readouterr().err


def test_a_stopped_training_has_the_exit_code_of_its_signal(tmp_path, monkeypatch, capsys):
    def train(config, args, hooks):
        assert config.resume is True
        (tmp_path / 'stopped_iter_3.pth').write_text('three')
        raise Stopped('Stopped after iteration 3 of 4.', 143)

    monkeypatch.setattr(train_module, 'train', train)
    words = ['train', 'student/mnv3s_slim_shapes.py', '--work-dir', str(tmp_path), '--resume']
    assert main(words) == 143
    assert capsys.readouterr().out.endswith('Stopped after iteration 3 of 4.\n')

    store = tmp_path.parent / f'{tmp_path.name}_store'
    store.mkdir()
    save(store / 'epoch_1.pth', 4)
    assert main([*words, '--copy-to', str(store)]) == 143
    assert f'Fetched from {store} to {tmp_path}, files: 2\n' in capsys.readouterr().out
    assert (tmp_path / 'epoch_1.pth').is_file()

    with locked(tmp_path), pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 1
    assert f'error: Another training writes to {tmp_path}: process' in capsys.readouterr().err
