"""tools/results_table.py, run as a user runs it."""

import json
from pathlib import Path

import pytest
import yaml

README = 'Before\n<!-- table: camvid/*_kd camvid/plain -->\n<!-- /table -->\nafter\n'


@pytest.fixture
def run(script, checkout):
    """Run the tool in the checkout."""
    return lambda: script('tools/results_table.py', cwd=checkout)


@pytest.fixture
def checkout(tmp_path):
    """A README and three results; `other` is not asked for."""
    (tmp_path / 'README.md').write_text(README)
    for name, miou, training in [
        ('plain', 18.5, {'config': 'configs/student/plain.py', 'seed': 3}),
        ('cwd_kd', 17.25, None),
        ('other', 99.0, None),
    ]:
        result = {
            'config': f'configs/kd/{name}.py',
            'training': training,
            'metrics': {'mIoU': miou, 'aAcc': 50.0},
            'per_class': {'sky': 40.0, 'road': 20.0, 'pole': 0.0},
            'per_class_share': {'sky': 60.0, 'road': 39.5, 'pole': 0.5},
            'parameters': 1234,
        }
        file = tmp_path / 'results' / 'camvid' / name / '0.json'
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(result))
    return tmp_path


def test_a_pattern_that_fits_a_teachers_score_is_refused(run, checkout):
    score = checkout / 'results' / 'camvid' / 'a_kd' / 'ab.json'
    score.parent.mkdir()
    score.write_text(json.dumps({'metrics': {'mIoU': None}}))
    done = run()
    assert done.returncode == 1
    assert f'{score.relative_to(checkout)}: no result of `' in done.stderr
    assert text_of(checkout) == README.splitlines()


def test_the_results_that_the_pattern_names_are_written(run, checkout):
    done = run()
    assert done.returncode == 0, done.stderr
    assert 'README.md: table camvid/*_kd camvid/plain of 2 rows' in done.stdout
    start, _, *table, end, after = [line for line in text_of(checkout) if line]
    assert (start, end, after) == ('Before', '<!-- /table -->', 'after')
    title, _, *rows = [[cell.strip() for cell in row.strip('|').split('|')] for row in table]
    assert title == ['config', 'seed', 'mIoU', 'mIoU, common classes', 'pixel accuracy',
                     'parameters']  # fmt: skip
    # The pole has less than 1 % of the pixels: (40 + 20) / 2.
    assert rows == [
        ['cwd_kd', '-', '17.25', '30.00', '50.00', '1,234'],
        ['plain', '3', '18.50', '30.00', '50.00', '1,234'],
    ]


def test_a_file_of_the_benchmark_is_a_table_too(run, checkout):
    times = {'median_ms': 4.0, 'p90_ms': 5.0, 'fps': 250.0}
    model = {'config': 'student/a.py', 'mIoU': None, 'mIoU_per_ms': None, 'labels': times,
             'parameters': 1234, 'gmacs': 0.5, 'peak_memory_mib': 6.0}  # fmt: skip
    (checkout / 'results' / 'speed.json').write_text(json.dumps({'models': [model]}))
    (checkout / 'README.md').write_text('<!-- table: speed.json -->\n<!-- /table -->\n')
    assert run().returncode == 0
    cells = [cell.strip() for cell in text_of(checkout)[4].strip('|').split('|')]
    assert cells[0] == 'a'
    assert {'4.00', '250.00', '1,234', '0.50'} <= set(cells)


def test_the_index_of_models_has_the_means_of_what_was_trained_as_configured(run, checkout):
    config, start = 'configs/kd/a.py', 'tools/train.py configs/kd/a.py --cfg-options data_root=x'
    (checkout / 'configs/kd').mkdir(parents=True)
    (checkout / config).touch()
    for number, (miou, command) in enumerate(
        [(20.0, start), (26.0, start), (90.0, f'{start} optim_wrapper.optimizer.lr=1')]
    ):
        file = checkout / 'results' / 'camvid' / 'a' / f'{number}.json'
        file.parent.mkdir(parents=True, exist_ok=True)
        made = {'config': config, 'command': command}
        result = {'config': config, 'dataset': 'CamVidDataset', 'split': 'test', 'training': made}
        measured = {'metrics': {'mIoU': miou}, 'per_class': {'sky': 1.0}, 'parameters': 7}
        file.write_text(json.dumps({**result, **measured}))
    done = run()
    assert 'configs/metafile.yml: 1 models' in done.stdout, done.stderr
    (model,) = yaml.safe_load((checkout / 'configs/metafile.yml').read_text())['Models']
    assert (model['Name'], model['Config']) == ('a', config)
    # The mean of 20 and 26, and sqrt(3 ** 2 + 3 ** 2).
    expected = {'mIoU': 23.0, 'Seeds': 2, 'mIoU standard deviation': 4.24}
    assert model['Results'][0]['Metrics'] == expected


def text_of(checkout: Path) -> list[str]:
    return (checkout / 'README.md').read_text().splitlines()


def test_a_pattern_without_results_is_an_error(run, checkout):
    (checkout / 'README.md').write_text('<!-- table: voc/* -->\n<!-- /table -->\n')
    done = run()
    assert done.returncode == 1
    assert 'No result in results fits voc/*' in done.stderr
