import pytest


@pytest.mark.slow
def test_a_cache_is_made_once_and_trained_with(script, tiny, tmp_path):
    config = tiny('kd/response_kd_shapes.py')
    cache = str(tmp_path / 'cache')
    config.model.teacher = dict(type='CachedTeacher', cache=cache, teacher=config.model.teacher)
    config.train_dataloader.dataset = dict(
        type='WithTeacherCache', cache=str(tmp_path / 'cache'),
        dataset=config.train_dataloader.dataset,
    )  # fmt: skip
    config.dump(str(tmp_path / 'mine.py'))

    def run():
        done = script('tools/cache_teacher.py', 'mine.py', '--workers', '1', cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return ' '.join(done.stdout.split())

    first, second = run(), run()
    for said in ('Stored: ', 'nats', 'images a second', '16 images, ', 'MiB', 'in this view;',
                 'tools/train.py mine.py'):  # fmt: skip
        assert said in first
    assert '16 of 16 images are there already.' in second
    assert 'images a second' not in second
    assert (tmp_path / 'cache' / 'index.json').is_file()
