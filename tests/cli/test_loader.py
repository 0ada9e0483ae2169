import json
import subprocess
import sys

import pytest

from segkd_mm.config import config_dir

SCRIPT = config_dir().parent / 'benchmarks' / 'loader.py'


@pytest.mark.slow
def test_both_pipelines_are_measured_side_by_side(tmp_path):
    command = [sys.executable, str(SCRIPT), '--crops', '160', '--images', '20', '--out', 'x.json']
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    result = json.loads((tmp_path / 'x.json').read_text())
    (row,) = result['table']
    assert row['crop'] == '160x160'
    assert row['x'] == result['ratios']['160x160']
    assert row['x'] == pytest.approx(row['light, images/s'] / row["mmseg's, images/s"])
    assert '160x160' in run.stdout
