import pytest

from segkd_mm.files import written_aside


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
