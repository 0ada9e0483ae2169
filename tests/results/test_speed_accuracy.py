import json
from contextlib import contextmanager
from math import nan

import pytest
import torch
from ink import ink
from matplotlib.colors import to_hex
from matplotlib.text import Annotation, Text
from mmseg.registry import MODELS
from torch import nn

from segkd_mm.deploy.loading import deployable
from segkd_mm.measure.model_cost import count_parameters
from segkd_mm.results.files import checkpoint_digest
from segkd_mm.results.speed_accuracy import (
    Score,
    find_exported_score,
    find_score,
    group_by_dataset,
    join_scores,
    pareto_front,
    table_rows,
)
from segkd_mm.visualize import speed_accuracy as plot
from segkd_mm.visualize.speed_accuracy import draw_speed_accuracy
from segkd_mm.visualize.style import COLOURS, MUTED, chart

CAMVID, VOC = 'CamVid test, 233 images', 'PascalVOC test, 1449 images'


def cost(config, ms):
    times = {'median_ms': ms, 'p90_ms': 2 * ms, 'fps': 1000 / ms, 'repeats': 10}
    sizes = {'parameters': 2515563, 'gmacs': 2.1, 'peak_memory_mib': 17.9}
    usual = {**times, 'median_ms': 3 * ms}
    return {'config': config, **sizes, 'logits': times, 'labels': times, 'mmseg': usual,
            'floor_ms': ms / 4, 'x_floor': 4.0, 'speedup': 30 / ms}  # fmt: skip


def score(mean, std=None, data=CAMVID):
    return Score(mean, std, (0,) if std is None else (0, 1), data, ('results/a/0.json',))


def joined(*models):
    """Rows of (config, ms, score)."""
    scores = {config: found for config, _, found in models}
    return join_scores([cost(config, ms) for config, ms, _ in models], scores)


@pytest.fixture
def write(tmp_path):
    """Write a result as tools/test.py does."""

    def write(path, miou, config='configs/student/a.py', seed=0, **other):
        path = tmp_path / path
        path.parent.mkdir(parents=True, exist_ok=True)
        result = {
            'config': config,
            'dataset': 'CamVidDataset',
            'split': 'test',
            'images': 233,
            'metrics': {'aAcc': 90.0, 'mIoU': miou},
            'training': {'config': config, 'seed': seed},
            **other,
        }
        path.write_text(json.dumps(result))
        return path

    return write


@pytest.mark.parametrize(
    ('points', 'front'),
    [
        ([], []),
        ([(5, 50)], [0]),
        ([(9, 60), (5, 50)], [1, 0]),
        ([(5, 50), (6, 49)], [0]),
        ([(5, 50), (5, 51)], [1]),
        ([(5, 50), (6, 50)], [0]),
        ([(5, 50), (5, 50), (6, 50)], [0, 1]),
        ([(1, nan), (nan, 99), (5, 50)], [2]),
        ([(4, 3), (1, 1), (3, 2), (2, 2), (5, 3), (6, 9)], [1, 3, 0, 5]),
    ],
    ids=[
        'none', 'single', 'both, cheapest first', 'dominated', 'equal latency', 'equal accuracy',
        'equal points', 'nan', 'several',
    ],
)  # fmt: skip
def test_pareto_front_by_hand(points, front):
    assert pareto_front(points) == front


def test_seeds_are_averaged_by_hand(write, tmp_path):
    files = [write(f'results/camvid/a/{n}.json', 10 + 2.0 * n, seed=n) for n in (0, 1, 2)]
    found = find_score('configs/student/a.py', [tmp_path / 'nowhere', tmp_path / 'results'])
    # Deviations -2, 0, 2: the sample variance is 8 / 2.
    assert found == Score(12.0, 2.0, (0, 1, 2), CAMVID, tuple(map(str, files)))


def test_recipes_are_not_mixed_the_most_seeds_count_then_the_longest_training(write, tmp_path):
    for seed in (0, 1):
        write(f'results/short/a/{seed}.json', 10.0, seed=seed, iterations=100)
        write(f'results/long/a/{seed}.json', 20.0, seed=seed, iterations=300)
    write('results/longest/a/0.json', 30.0, iterations=900)
    assert find_score('a.py', [tmp_path / 'results']).mean == 20.0


def test_a_single_seed_has_no_deviation(write, tmp_path):
    write('work_dirs/a/test_test.json', 12.5)
    found = find_score('a.py', [tmp_path / 'results', tmp_path / 'work_dirs'])
    assert (found.mean, found.std, found.seeds) == (12.5, None, (0,))


def test_the_first_folder_wins_and_is_not_mixed_with_the_next(write, tmp_path):
    kept = write('results/camvid/a/0.json', 10.0)
    write('work_dirs/a/test_test.json', 90.0, seed=1)
    found = find_score('a.py', [tmp_path / 'results', tmp_path / 'work_dirs'])
    assert (found.mean, found.files) == (10.0, (str(kept),))


def test_a_distilled_checkpoint_is_no_result_of_the_plain_student(write, tmp_path):
    """README step 4: the student's config tests what a distillation config trained."""
    trained = {'config': 'configs/kd/b.py', 'seed': 0}
    write('work_dirs/b/test_test.json', 30.0, config='configs/student/a.py', training=trained)
    write('work_dirs/a/test_test.json', 30.0, config='configs/student/a.py', training=trained)
    assert find_score('kd/b.py', [tmp_path / 'work_dirs']).mean == 30.0
    assert find_score('student/a.py', [tmp_path / 'work_dirs']) is None


def test_weights_without_a_training_record_are_of_the_config_tested(write, tmp_path):
    write('work_dirs/a/test_test.json', 60.0, training=None)
    assert find_score('a.py', [tmp_path / 'work_dirs']).mean == 60.0


@pytest.mark.parametrize(
    'other',
    [
        {'split': 'val'},
        {'tta': True},
        {'window': 1024},
        {'metrics': {'aAcc': 9.0, 'mIoU': None}},
        {'metrics': {'aAcc': 9}},
    ],
)
def test_results_without_a_test_miou_do_not_count(write, tmp_path, other):
    write('results/camvid/a/0.json', 10.0, **other)
    assert find_score('a.py', [tmp_path / 'results']) is None


def test_other_files_beside_the_results_are_left_alone(write, tmp_path):
    write('work_dirs/try/a/test_test.json', 10.0)
    (tmp_path / 'work_dirs/try/a/train.json').write_text('{"config": "a.py", "seed": 0}')
    assert find_score('a.py', [tmp_path / 'work_dirs']).mean == 10.0


def test_a_result_of_another_checkpoint_than_that_beside_it_is_ignored(write, tmp_path, capsys):
    """As after a new training in the same work directory."""
    weights = tmp_path / 'work_dirs/a/best.pth'
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b'abc')
    # Sha256 of `abc`, from FIPS 180-2.
    digest = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    of = {'checkpoint': 'work_dirs/a/best.pth', 'checkpoint_sha256': digest}
    file = write('work_dirs/a/test_test.json', 12.5, **of)
    assert find_score('a.py', [tmp_path / 'work_dirs']).mean == 12.5
    assert capsys.readouterr().out == ''
    weights.write_bytes(b'abd')
    assert find_score('a.py', [tmp_path / 'work_dirs']) is None
    assert f'Ignored: {file}, as {weights} is not what was tested' in capsys.readouterr().out
    weights.unlink()  # a result alone stands for itself
    assert find_score('a.py', [tmp_path / 'work_dirs']).mean == 12.5


def test_a_result_of_an_exported_file_is_of_both_its_parts(write, tmp_path):
    for name in ('a.xml', 'a.bin'):
        (tmp_path / name).write_bytes(b'1')
    digest = checkpoint_digest(tmp_path / 'a.xml')
    write('a.xml.test_test.json', 20.0, checkpoint='a.xml', checkpoint_sha256=digest)
    assert find_exported_score(tmp_path / 'a.xml').mean == 20.0
    (tmp_path / 'a.bin').write_bytes(b'2')
    assert find_exported_score(tmp_path / 'a.xml') is None


def test_one_seed_twice_is_an_error_that_names_the_files(write, tmp_path):
    write('results/camvid/a/0.json', 10.0)
    write('results/camvid/a/again.json', 12.0)
    with pytest.raises(ValueError, match=r'0\.json \(0\), .*again\.json \(0\): expected .*seeds'):
        find_score('a.py', [tmp_path / 'results'])


@pytest.mark.parametrize('other', [{'images': 6}, {'dataset': 'MSRCDataset'}])
def test_results_on_different_images_are_an_error(write, tmp_path, other):
    write('results/camvid/a/0.json', 10.0)
    write('results/camvid/a/1.json', 12.0, seed=1, **other)
    with pytest.raises(ValueError, match=r'1\.json \(.*images\): expected results on the same'):
        find_score('a.py', [tmp_path / 'results'])


def test_rows_are_sorted_by_miou_per_ms_and_those_without_come_last():
    rows = joined(
        ('slow.py', 100.0, score(40.0)),
        ('untested.py', 9.0, None),
        ('fast.py', 10.0, score(20.0)),
        ('quick.py', 5.0, None),
        ('poor.py', 10.0, score(19.0)),
    )
    assert [row['config'][:-3] for row in rows] == ['fast', 'poor', 'slow', 'quick', 'untested']
    assert [row['mIoU_per_ms'] for row in rows] == [2.0, 1.9, 0.4, None, None]
    assert [row['pareto'] for row in rows] == [True, False, True, False, False]


def test_data_sets_are_not_compared():
    rows = joined(
        ('voc.py', 5.0, score(70.0, data=VOC)),
        ('slow.py', 100.0, score(40.0)),
        ('fast.py', 10.0, score(20.0)),
    )
    assert [row['config'] for row in rows] == ['fast.py', 'slow.py', 'voc.py']
    assert all(row['pareto'] for row in rows)
    assert {data: len(group) for data, group in group_by_dataset(rows).items()} == {
        CAMVID: 2,
        VOC: 1,
    }
    assert [row['data'] for row in table_rows(rows)] == [CAMVID, CAMVID, VOC]


def test_a_line_of_the_table():
    tested, untested = table_rows(
        joined(('configs/a.py', 10.0, score(20.0, 0.5)), ('b.py', 5.0, None))
    )
    assert tested == {
        'config': 'a', 'mIoU': 20.0, '±': 0.5, 'seeds': 2, 'ms': 10.0, 'FPS': 100.0, 'x': 3.0,
        'mmseg ms': 30.0, 'logits ms': 10.0, 'x floor': 4.0, 'parameters': 2515563, 'GMACs': 2.1,
        'MiB': 17.9, 'mIoU/s': 2000.0,
    }  # fmt: skip
    assert [untested[key] for key in ('config', 'mIoU', '±', 'seeds', 'mIoU/s')] == [
        'b', None, None, None, None,
    ]  # fmt: skip


def test_columns_without_any_value_are_left_out():
    exported = {**cost('a.onnx', 5.0), 'mmseg': None, 'logits': None, 'peak_memory_mib': None}
    (row,) = table_rows(join_scores([exported], {}))
    assert row == {'config': 'a.onnx', 'ms': 5.0, 'FPS': 200.0, 'x': 6.0, 'x floor': 4.0,
                   'parameters': 2515563, 'GMACs': 2.1}  # fmt: skip


@pytest.mark.parametrize('several', [False, True])
def test_auxiliary_heads_are_not_deployed(several):
    aux = dict(type='FCNHead', in_channels=32, in_index=2, channels=8, num_convs=1,
               concat_input=False, num_classes=3)  # fmt: skip
    model = MODELS.build(
        dict(
            type='EncoderDecoder',
            backbone=dict(type='ResNet', depth=18, base_channels=8),
            decode_head=dict(type='FCNHead', in_channels=64, channels=8, num_classes=3),
            auxiliary_head=[aux, aux] if several else aux,
        )
    ).eval()
    images = torch.randn(1, 3, 32, 32)
    before, logits = count_parameters(model), model(images)
    deployable(model)
    of_one_head = (32 * 8 * 9 + 8) + (8 * 3 + 3)
    assert before - count_parameters(model) == of_one_head * (1 + several)
    assert not model.with_auxiliary_head
    assert torch.equal(model(images), logits)


def test_torchvisions_auxiliary_classifier_is_not_deployed():
    model = nn.ModuleDict({'classifier': nn.Linear(4, 2), 'aux_classifier': nn.Linear(3, 2)})
    assert list(deployable(model)) == ['classifier']


@pytest.fixture
def draw(monkeypatch, tmp_path):
    """Draw rows; give the figure too."""
    figures = []

    @contextmanager
    def kept(*args):
        with chart(*args) as figure:
            figures.append(figure)
            yield figure

    def draw(rows):
        draw_speed_accuracy(tmp_path / 'plot.png', rows, '1 x 360x480 on cpu, threads: 1')
        assert 0.01 < ink(tmp_path / 'plot.png') < 0.5
        return figures[-1]

    monkeypatch.setattr(plot, 'chart', kept)
    return draw


def names(axes):
    return [child for child in axes.get_children() if isinstance(child, Annotation)]


# Neighbours of one latency, on top of one another, at the edges; long names.
CROWD = [
    ('psp_mnv2_camvid', 70, 55.1, 0.5), ('aspp_mnv2_camvid', 88, 56.3, 0.4),
    ('ocr_mnv2_camvid', 95, 57.2, 0.6), ('light_aspp_mnv2_camvid', 52, 55.6, 0.5),
    ('light_ocr_mnv2_camvid', 50, 54.9, 0.3), ('mnv3s_slim_camvid', 31, 48.5, 0.8),
    ('feature_kd_camvid', 31, 51.2, 0.6), ('response_kd_camvid', 31, 49.1, 0.6),
    ('cwd_camvid', 31, 51.2, None), ('mnv3s_aspp_camvid', 82, 50.3, None),
    ('psp_r50_camvid', 410, 61.0, None), ('aspp_r50_camvid', 390, 62.5, 1.0),
]  # fmt: skip


def test_names_of_a_crowd_overlap_neither_one_another_nor_points(draw):
    rows = joined(*((name, float(ms), score(miou, std)) for name, ms, miou, std in CROWD))
    (axes,) = draw(rows).axes
    assert {name.get_text() for name in names(axes)} == {name for name, *_ in CROWD}
    boxes = [Text.get_window_extent(name) for name in names(axes)]
    for index, box in enumerate(boxes):
        assert box.count_overlaps(boxes[index + 1 :]) == 0
        assert axes.bbox.x0 <= box.x0 < box.x1 <= axes.bbox.x1
        for point in axes.transData.transform([(ms, miou) for _, ms, miou, _ in CROWD]):
            assert not box.contains(*point)


def test_the_front_is_a_step_line_and_the_rest_is_muted(draw):
    rows = joined(
        ('a.py', 10.0, score(20.0)), ('b.py', 30.0, score(25.0)), ('c.py', 40.0, score(24.0))
    )
    (axes,) = draw(rows).axes
    step = next(line for line in axes.lines if line.get_drawstyle() == 'steps-post')
    assert step.get_xydata().tolist() == [[10, 20], [30, 25]]
    points = {line.get_xdata()[0]: line for line in axes.lines if len(line.get_xdata()) == 1}
    colours = {ms: to_hex(point.get_color()).upper() for ms, point in points.items()}
    assert colours == {10.0: COLOURS[0], 30.0: COLOURS[0], 40.0: MUTED}


@pytest.mark.parametrize(('slowest', 'scale'), [(100.0, 'linear'), (101.0, 'log')])
def test_time_is_logarithmic_over_a_decade(draw, slowest, scale):
    (axes,) = draw(joined(('a.py', 10.0, score(20.0)), ('b.py', slowest, score(25.0)))).axes
    assert axes.get_xscale() == scale


def test_each_data_set_has_a_panel_and_the_untested_are_not_drawn(draw):
    rows = joined(
        ('a.py', 10.0, score(20.0)), ('b.py', 9.0, score(70.0, data=VOC)), ('c.py', 5.0, None)
    )
    panels = draw(rows).axes
    assert [[name.get_text() for name in names(axes)] for axes in panels] == [['a'], ['b']]
    assert [axes.get_title('left').split(';')[0] for axes in panels] == [CAMVID, VOC]


def test_nothing_to_draw_is_an_error(tmp_path):
    with pytest.raises(ValueError, match='no model has an mIoU'):
        draw_speed_accuracy(tmp_path / 'plot.png', joined(('a.py', 5.0, None)), 'title')
    assert list(tmp_path.iterdir()) == []
