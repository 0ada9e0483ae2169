import json

import numpy as np
import pytest
from matplotlib.image import imread

from segkd_mm.results.training_log import read_log
from segkd_mm.visualize.curves import draw_curves

pytestmark = pytest.mark.slow


def train_line(iteration, epoch=1, **more):
    line = {'lr': 0.1 / iteration, 'data_time': 0.1, 'loss': 9 / iteration, 'decode.acc_seg': 50.0}
    return {**line, 'time': 0.5, **more, 'epoch': epoch, 'iter': iteration, 'step': iteration}


def val_line(step, miou):
    return {'aAcc': 2 * miou, 'mIoU': miou, 'data_time': 0.01, 'time': 0.2, 'step': step}


def write(work_dir, time, lines):
    """A log as mmengine leaves it."""
    folder = work_dir / time / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    return folder / 'scalars.json'


@pytest.fixture
def run(tmp_path):
    """A run of two epochs of 45 iterations, logged every 20."""
    folder = tmp_path / 'runs' / 'plain'
    lines = [train_line(20), train_line(40), val_line(1, 10.0),
             train_line(65, 2), train_line(85, 2), val_line(2, 30.0)]  # fmt: skip
    write(folder, '20260101_090000', lines)
    return folder


def steps(log):
    return [r['iter'] for r in log.train], [(r['iter'], r['mIoU']) for r in log.val]


def lines_of(figure, title):
    """The labelled lines of a panel, each as (x, y)."""
    (axes,) = (axes for axes in figure.axes if axes.get_title(loc='left') == title)
    lines = [line for line in axes.lines if not line.get_label().startswith('_')]
    return {line.get_label(): tuple(map(list, line.get_data())) for line in lines}


def test_a_validation_stands_at_the_last_logged_iteration_before_it(run):
    assert steps(read_log(run)) == ([20, 40, 65, 85], [(40, 10.0), (85, 30.0)])


def test_a_validation_by_iteration_stands_at_its_own(tmp_path):
    write(tmp_path, '1', [train_line(20), val_line(30, 10.0), train_line(40)])
    assert steps(read_log(tmp_path)) == ([20, 40], [(30, 10.0)])


def test_a_resumed_run_is_joined_and_the_later_log_wins(run):
    # The first log went on after its checkpoint of epoch 1, from which the second starts.
    write(run, '20260102_090000', [train_line(65, 2, loss=0.0), val_line(2, 40.0)])
    log = read_log(run)
    assert steps(log) == ([20, 40, 65], [(40, 10.0), (65, 40.0)])
    assert log.train[-1]['loss'] == 0.0


def test_a_resumed_run_that_has_not_logged_yet_takes_nothing_away(run):
    write(run, '20260102_090000', [])
    assert steps(read_log(run))[0] == [20, 40, 65, 85]


def test_a_line_that_a_killed_run_did_not_finish_is_left_out(run):
    with next(run.glob('*/vis_data/scalars.json')).open('a') as file:
        file.write('{"lr": 0.0')
    assert steps(read_log(run))[0] == [20, 40, 65, 85]


def test_a_damaged_line_is_named(run):
    file = next(run.glob('*/vis_data/scalars.json'))
    file.write_text(file.read_text().replace('{"aAcc": 20.0', 'oops'))
    with pytest.raises(ValueError, match=r'scalars\.json, line 3: .* Delete the line'):
        read_log(run)


def test_a_folder_without_a_log_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nix/\*/vis_data/scalars\.json: no such file'):
        read_log(tmp_path / 'nix')


def test_a_log_without_an_iteration_is_named(tmp_path):
    write(tmp_path, '1', [val_line(0, 10.0)])
    with pytest.raises(FileNotFoundError, match=r'no iteration in .*/1/vis_data/scalars\.json'):
        draw_curves([tmp_path], tmp_path / 'curves.png')
    assert not (tmp_path / 'curves.png').exists()


def test_one_run_shows_each_term_and_score(tmp_path, figures):
    terms = [{'decode.loss_ce': 2.0, 'terms.mid.loss': 1.0, 'loss': 3.0},
             {'decode.loss_ce': 1.0, 'terms.mid.loss': 0.5, 'loss': 1.5}]  # fmt: skip
    lines = [train_line(20, **terms[0]), train_line(40, **terms[1]), val_line(1, 25.0)]
    write(tmp_path / 'kd', '1', lines)
    draw_curves([tmp_path / 'kd'], tmp_path / 'out' / 'curves.png')
    (figure,) = figures
    assert lines_of(figure, 'loss') == {
        'loss': ([20, 40], [3.0, 1.5]),
        'decode.loss_ce': ([20, 40], [2.0, 1.0]),
        'terms.mid.loss': ([20, 40], [1.0, 0.5]),
    }
    assert lines_of(figure, 'validation, %') == {'mIoU': ([40], [25.0]), 'aAcc': ([40], [50.0])}
    assert lines_of(figure, 'learning rate') == {'lr': ([20, 40], [0.1 / 20, 0.1 / 40])}
    assert lines_of(figure, 'seconds an iteration') == {
        'in all': ([20, 40], [0.5, 0.5]),
        'waiting for data': ([20, 40], [0.1, 0.1]),
    }
    assert figure.get_suptitle() == 'kd: best mIoU 25.0'
    assert imread(tmp_path / 'out' / 'curves.png').shape[1] == 1500


def test_a_single_term_is_not_drawn_beside_the_same_total(tmp_path, figures):
    write(tmp_path, '1', [train_line(20, **{'decode.loss_ce': 2.0, 'loss': 2.0})])
    draw_curves([tmp_path], tmp_path / 'curves.png')
    assert list(lines_of(figures[0], 'loss')) == ['loss']


def test_runs_are_laid_over_one_another_with_the_terms_they_share(tmp_path, figures):
    ce, mid = {'decode.loss_ce': 1.0}, {'terms.mid.loss': 0.5}
    write(tmp_path / 'kd', '1', [train_line(20, **ce, **mid)])
    write(tmp_path / 'plain', '1', [train_line(20, **ce), val_line(1, 12.0), val_line(2, 11.0)])
    write(tmp_path / 'other', '1', [train_line(20, **ce, **mid)])
    draw_curves([tmp_path / 'kd', tmp_path / 'plain', tmp_path / 'other'], tmp_path / 'a.png')
    (figure,) = figures
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ['kd', 'plain: best mIoU 12.0', 'other']
    titles = [axes.get_title(loc='left') for axes in figure.axes]
    assert titles == ['loss', 'decode.loss_ce', 'validation mIoU, %', 'learning rate',
                      'seconds an iteration', 'seconds waiting for data']  # fmt: skip
    assert list(lines_of(figure, 'decode.loss_ce').values()) == [([20], [1.0])] * 3
    assert lines_of(figure, 'validation mIoU, %') == {
        'kd': ([], []),
        'plain: best mIoU 12.0': ([20, 20], [12.0, 11.0]),
        'other': ([], []),
    }


def test_runs_keep_their_colours_in_all_panels(run, tmp_path, figures):
    write(run.parent / 'kd', '1', [train_line(20)])
    draw_curves([run.parent / 'kd', run], tmp_path / 'curves.png')
    colours = [
        [line.get_color() for line in axes.lines if not line.get_label().startswith('_')]
        for axes in figures[0].axes
    ]
    assert all(one == colours[0] for one in colours)
    assert len(set(colours[0])) == 2


def test_runs_of_the_same_name_are_told_apart(tmp_path, figures):
    for parent in ('seed0', 'seed1'):
        write(tmp_path / parent / 'kd', '1', [train_line(20)])
    draw_curves([tmp_path / 'seed0/kd', tmp_path / 'seed1/kd'], tmp_path / 'curves.png')
    names = [text.get_text() for text in figures[0].legends[0].get_texts()]
    assert names == ['seed0/kd', 'seed1/kd']


def test_long_curves_are_smoothed_and_stay_in_their_place(tmp_path, figures):
    # 40 points: the mean of each and its neighbours, of two at the ends.
    write(tmp_path, '1', [train_line(i + 1, loss=3.0 * (i % 2)) for i in range(40)])
    draw_curves([tmp_path], tmp_path / 'curves.png')
    iterations, values = lines_of(figures[0], 'loss')['loss']
    assert iterations == list(range(1, 41))
    assert values == pytest.approx([1.5, *[1.0, 2.0] * 19, 1.5])
    raw = figures[0].axes[0].lines[0].get_ydata()
    assert np.array_equal(raw, [0.0, 3.0] * 20)
