import json

import pytest


@pytest.mark.slow
def test_pipelines_are_measured_side_by_side(script, tmp_path):
    words = ['--crops', '160', '--images', '20', '--out', 'x.json']
    run = script('benchmarks/loader.py', *words, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    result = json.loads((tmp_path / 'x.json').read_text())
    (row,) = result['table']
    assert row['crop'] == '160x160'
    assert row['light, x'] == result['ratios']['160x160']
    for name in ('light', 'light and cached'):
        times = row[f'{name}, images/s'] / row["mmseg's, images/s"]
        assert row[f'{name}, x'] == pytest.approx(times)
    assert set(result['check_percent']['160x160']) == {"mmseg's", 'light'}
    assert 'The check of masks at 160x160 adds' in run.stdout
