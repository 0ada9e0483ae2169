import json

import pytest
from run_command import run_command


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run the tool in a folder of its own, with two runs in it; give what it prints."""
    monkeypatch.chdir(tmp_path)
    for run in ('plain', 'kd'):
        folder = tmp_path / 'work_dirs' / run / '20260101_090000' / 'vis_data'
        folder.mkdir(parents=True)
        line = {'lr': 0.1, 'data_time': 0.1, 'loss': 1.0, 'time': 0.5, 'iter': 20, 'step': 20}
        (folder / 'scalars.json').write_text(json.dumps(line) + '\n')

    def run_tool(*words):
        run_command('curves', *words)
        return capsys.readouterr().out

    return run_tool


@pytest.mark.parametrize(
    ('words', 'picture'),
    [
        (['work_dirs/kd/'], 'work_dirs/kd/curves.png'),
        (['work_dirs/kd', 'work_dirs/plain'], 'work_dirs/curves.png'),
        (['work_dirs/kd', '--out', 'new/a.png'], 'new/a.png'),
    ],
)
def test_the_picture_is_where_the_tool_says(call, tmp_path, words, picture):
    assert call(*words) == f'Curves: {picture}\n'
    assert (tmp_path / picture).read_bytes().startswith(b'\x89PNG')


def test_a_folder_without_logs_is_named(call):
    with pytest.raises(FileNotFoundError, match=r'work_dirs/nix/.*no such file'):
        call('work_dirs/nix')
