import json

import pytest

from segkd_mm.results.work_dir import (
    check_same_run,
    check_unused,
    earlier_files,
    record_config,
    set_aside,
)

RUN = ['last_checkpoint', 'epoch_2.pth', 'train.json', 'config.json', 'test_test.json',
       'curves.png', '20260131_235959/vis_data/scalars.json']  # fmt: skip
OTHERS = ['notes.txt', 'best_int8.onnx', 'best_int8.onnx.test_test.json', 'pictures/1.png']
RECORD = {'config': 'kd/a.py', 'seed': 3, 'date': '2026-01-31T23:59:59+00:00'}


@pytest.fixture
def work_dir(tmp_path):
    for name in (*RUN, *OTHERS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / 'train.json').write_text(json.dumps(RECORD))
    (tmp_path / 'best.pth').symlink_to('epoch_2.pth')
    return tmp_path


def files_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file()}


def test_an_earlier_run_is_moved_as_a_whole_and_all_else_stays(work_dir):
    said = set_aside(earlier_files(work_dir))
    (folder,) = work_dir.glob('earlier_*')
    assert files_in(folder) == {*RUN, 'best.pth'}
    assert (folder / 'best.pth').read_text() == 'epoch_2.pth'
    assert files_in(work_dir) == {*OTHERS, *(f'{folder.name}/{name}' for name in files_in(folder))}
    assert f'run of kd/a.py, seed 3, of {RECORD["date"]}: ' in said
    assert f'are now in {folder}. To go on with a run, use --resume.' in said
    assert earlier_files(work_dir) == []  # what was set aside stays there


def test_a_run_that_stopped_early_is_set_aside_too(work_dir):
    (work_dir / 'train.json').unlink()
    assert 'an earlier run that was not finished' in set_aside(earlier_files(work_dir))


def test_what_the_new_run_starts_from_is_not_moved(work_dir, monkeypatch):
    monkeypatch.chdir(work_dir.parent)
    named = f'{work_dir.name}/best.pth'
    config = dict(load_from=None, model=dict(teachers=[dict(checkpoint=named)]))
    with pytest.raises(ValueError, match=f'names {named}, but .* give another --work-dir'):
        check_unused(config, earlier_files(work_dir))
    check_unused(dict(load_from='notes.txt', seed=0), earlier_files(work_dir))


def test_only_a_run_of_the_same_settings_is_resumed(tmp_path):
    config = dict(
        work_dir=str(tmp_path), model=dict(type='A', heads=[dict(channels=8), dict(channels=4)]),
        train_dataloader=dict(batch_size=2, num_workers=0), param_scheduler=dict(end=5),
        train_cfg=dict(max_epochs=5, val_interval=1), randomness=dict(seed=0), log_level='INFO',
    )  # fmt: skip
    other = dict(config, model=dict(type='A', heads=[dict(channels=8), dict(channels=6)]))
    check_same_run(other, None)  # nothing is there
    record_config(tmp_path, config)
    check_same_run(other, None)  # nothing to resume yet
    (tmp_path / 'last_checkpoint').write_text('epoch_1.pth')
    same = dict(
        config, train_dataloader=dict(batch_size=2, num_workers=4), log_level='ERROR', resume=True,
        train_cfg=dict(max_epochs=5, val_interval=2),
    )  # fmt: skip
    check_same_run(same, None)
    with pytest.raises(ValueError, match=r'model.heads.1.channels: 4 there, 6 now\nGive the set'):
        check_same_run(other, None)
    longer = dict(same, train_cfg=dict(max_epochs=9), optim_wrapper=dict(lr=0.1), work_dir='other')
    check_same_run(longer, None)  # another folder
    with pytest.raises(ValueError) as error:  # the folder of the checkpoint counts
        check_same_run(longer, tmp_path / 'epoch_1.pth')
    assert 'train_cfg.max_epochs: 5 there, 9 now' in str(error.value)
    assert 'optim_wrapper.lr: - there, 0.1 now' in str(error.value)
