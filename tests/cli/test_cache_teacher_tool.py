import pytest
import torch
from run_command import run_command
from safetensors.torch import load_file

from segkd_mm.whole_image import builder


@pytest.fixture
def run(script, tiny, tmp_path):
    """Build the cache of a distillation with the words of a command; give what it printed."""
    config = tiny('kd/response_kd_shapes.py')
    cache = str(tmp_path / 'cache')
    config.model.teacher = dict(type='CachedTeacher', cache=cache, teacher=config.model.teacher)
    config.train_dataloader.dataset = dict(
        type='WithTeacherCache', cache=str(tmp_path / 'cache'),
        dataset=config.train_dataloader.dataset,
    )  # fmt: skip
    config.dump(str(tmp_path / 'mine.py'))

    def run_tool(*words):
        done = script('tools/cache_teacher.py', 'mine.py', '--workers', '0', *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return ' '.join(done.stdout.split())

    return run_tool


@pytest.mark.slow
def test_a_cache_is_made_once_by_one_process_or_by_parts(run, tmp_path, monkeypatch):
    monkeypatch.setattr(builder, 'SHARD', 5)  # 4 shards of 16 images
    cache, whole = tmp_path / 'cache', tmp_path / 'whole'
    first, second = run('--workers', '1'), run()
    for said in ('conv_seg: stored as ', 'nats', 'images a second', '16 images, ', 'MiB',
                 'in this view;', 'tools/train.py mine.py'):  # fmt: skip
        assert said in first
    assert '16 of 16 images are there already.' in second
    assert 'images a second' not in second
    cache.rename(whole)

    # The second and the fourth shard; the other two are left.
    assert 'Part 2 of 2 is there; other parts have 2 shards to build.' in run('--part', '2/2')
    names = sorted(path.name for path in cache.iterdir())
    assert names == ['shard_00001.safetensors', 'shard_00003.safetensors']
    assert '6 of 16 images are there already.' in run('--part', '1/2')
    assert (cache / 'index.json').read_bytes() == (whole / 'index.json').read_bytes()
    for file in whole.glob('shard_*'):  # whose metadata are in any order
        parts, expected = load_file(cache / file.name), load_file(file)
        assert parts.keys() == expected.keys()
        assert all(torch.equal(parts[key], tensor) for key, tensor in expected.items())


@pytest.mark.parametrize('part', ['2', '0/2', '3/2', 'a/b'])
def test_a_part_that_is_none_is_refused(part, capsys):
    with pytest.raises(SystemExit):
        run_command('cache', 'mine.py', '--part', part)
    assert 'expected I/N with I from 1 to N' in capsys.readouterr().err
