import subprocess
import sys

import pytest

from segkd_mm.config import config_dir

TOOL = config_dir().parent / 'tools' / 'cache_teacher.py'


@pytest.mark.slow
def test_a_cache_is_made_once_and_trained_with(tiny, tmp_path):
    config = tiny('kd/response_kd_shapes.py')
    cache = str(tmp_path / 'cache')
    config.model.teacher = dict(type='CachedTeacher', cache=cache, teacher=config.model.teacher)
    config.train_dataloader.dataset = dict(
        type='WithTeacherCache', cache=str(tmp_path / 'cache'),
        dataset=config.train_dataloader.dataset,
    )  # fmt: skip
    config.dump(str(tmp_path / 'mine.py'))

    def run():
        command = [sys.executable, str(TOOL), 'mine.py', '--workers', '1']
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return ' '.join(done.stdout.split())

    first, second = run(), run()
    for said in ('Stored: ', 'nats', 'images a second', '16 images, ', 'MiB', 'in this view;',
                 'Next: python tools/train.py mine.py'):  # fmt: skip
        assert said in first
    assert '16 of 16 images are there already.' in second
    assert 'images a second' not in second
    assert (tmp_path / 'cache' / 'index.json').is_file()
