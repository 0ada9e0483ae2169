import pytest

from segkd_mm.files import folder_aside, remove_left_aside, written_aside


def test_file_appears_when_whole(tmp_path):
    path = tmp_path / 'new' / 'file.txt'
    with written_aside(path) as aside:
        aside.write_text('whole')
        assert aside.suffix == '.txt'
        assert not path.exists()
    assert path.read_text() == 'whole'
    assert list(path.parent.iterdir()) == [path]


def test_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'file.txt'
    path.write_text('old')
    with pytest.raises(RuntimeError), written_aside(path) as aside:
        aside.write_text('ha')
        raise RuntimeError
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_when_it_is_complete(tmp_path):
    out = tmp_path / 'new/out'
    with folder_aside(out) as folder:
        (folder / 'sub').mkdir()
        (folder / 'sub/a').write_text('x')
        assert not out.exists()
    assert (out / 'sub/a').read_text() == 'x'
    assert [path.name for path in out.parent.iterdir()] == ['out']


def test_an_empty_folder_is_replaced_and_a_full_one_is_not(tmp_path):
    (tmp_path / 'out').mkdir()
    with folder_aside(tmp_path / 'out') as folder:
        (folder / 'a').touch()
    with pytest.raises(OSError), folder_aside(tmp_path / 'out') as folder:
        (folder / 'b').touch()
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['a']


def test_after_an_error_the_new_folder_is_gone(tmp_path):
    with pytest.raises(KeyError), folder_aside(tmp_path / 'out') as folder:
        (folder / 'a').touch()
        raise KeyError
    assert [*tmp_path.iterdir()] == []


def test_what_killed_processes_left_is_removed_and_all_else_stays(tmp_path):
    for name in ('.epoch_1.77.pth', '.last_checkpoint.77'):
        (tmp_path / name).touch()
    others = {'.in_use', '.in_use_by', '.notes.txt', 'a.77.pth'}
    for name in others:
        (tmp_path / name).touch()
    remove_left_aside(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == others
