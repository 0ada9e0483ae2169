import pytest
from mmengine.config import Config
from run_command import run_command

from segkd_mm.cli.print_config import resolved
from segkd_mm.config import load_config
from segkd_mm.config_source import WIDTH, to_source

KINDS = [
    'student/ocr_mnv2_camvid.py',
    'student/mnv3s_slim_voc_aug.py',
    'leaderboard/mnv3l_cwd_whole_voc.py',  # with a class map, whose keys are no Python names
    'pretrain/mnv3s_backbone.py',
    'kd/response_kd_unlabelled_camvid.py',
]


@pytest.mark.parametrize('name', KINDS)
def test_what_is_printed_is_the_same_config_in_one_file(name):
    config = load_config(name)
    text = resolved(config, config.filename)
    assert '_base_' not in text.replace('_base_/', '')
    assert Config.fromstring(text, '.py').to_dict() == config.to_dict()
    assert max(map(len, text.splitlines())) <= WIDTH


def test_the_tool_prints_a_config_with_its_options(capsys):
    run_command('print-config', 'kd/cwd_camvid.py', '--cfg-options', 'train_cfg.max_epochs=3')
    assert "train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ('value', 'source'),
    [
        (dict(type='A', b=None, c=1e-3), "dict(type='A', b=None, c=0.001)"),
        ({'sign symbol': [1], 'class': (2,)}, "{'sign symbol': [1], 'class': (2,)}"),
        ([(), [], {}], '[(), [], dict()]'),
        (['a' * 60, dict(b='b' * 60)], f"[\n    '{'a' * 60}',\n    dict(b='{'b' * 60}'),\n]"),
    ],
)
def test_values_stand_on_one_line_where_they_fit(value, source):
    assert to_source(value) == source
