"""benchmarks/students.py, run as a user runs it."""

import json
from functools import partial

import pytest


@pytest.fixture
def rows(script, tmp_path):
    """Run the script, and read the table from its result file."""

    def run(*words):
        done = partial(script, cwd=tmp_path)('benchmarks/students.py', *words, '--out', 'out.json')
        assert done.returncode == 0, done.stderr
        return json.loads((tmp_path / 'out.json').read_text())['table']

    return run


@pytest.mark.slow
def test_trunks_of_timm_are_stepped_as_they_are_and_at_stride_16(rows):
    dilated, strided = rows('timm', 'mobilenetv3_small_100', 'repvit_m0_9')
    assert dilated['trunk'] == '`mobilenetv3_small_100`'
    assert dilated['taps'] == 'low 16, mid 24, high 48, final 576'
    assert dilated['at strides'] == '4, 8, 16, 32'
    assert (dilated['distils'], dilated['output_stride=16']) == ('yes', 'yes')
    assert (strided['distils'], strided['output_stride=16']) == ('yes', 'no')
    assert strided['parameters'] == 5_847_829  # configs/_base_/students/repvit_slim.py


@pytest.mark.slow
def test_models_of_mmseg_are_stepped_by_their_configs(rows):
    (row,) = rows('mmseg', 'Fast-SCNN')
    assert row['distils'] == 'yes'
    assert row['parameters'] > 1_000_000
    assert row['tap of the logits'] == '`decode_head.conv_seg`'


@pytest.mark.slow
def test_the_error_of_a_student_that_fails_is_in_the_table(rows):
    (row,) = rows('timm', 'efficientformer_l1')
    assert (row['distils'], row['parameters']) == ('no', None)
    assert 'built for images of 224 x 224 pixels' in row['it needs']


@pytest.mark.parametrize(
    ('words', 'says'),
    [(('timm', 'repvit_m09'), "'repvit_m0_9'"), (('mmseg', 'BiSeNet'), "'BiSeNetV2'")],
)
def test_an_unknown_name_is_an_error(script, words, says):
    done = script('benchmarks/students.py', *words)
    assert done.returncode == 1
    assert f'did you mean {says}' in done.stderr
