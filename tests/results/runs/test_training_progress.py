from mmengine.config import Config

from segkd_mm.results.runs.cells import Cell, Method
from segkd_mm.results.runs.training_progress import TrainingProgress, epochs_done


def test_bars_follow_the_logs(tmp_path, capsys):
    config = Config({'train_cfg': {'max_epochs': 4}})
    cell = Cell(Method('kd/some.py', (), config), 3, tmp_path / 'result.json', tmp_path / 'work')
    assert epochs_done(cell) == 0
    log = tmp_path / 'work/20260101_000000/vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    with TrainingProgress({'my student': cell}) as progress:
        progress.start('some/3')
        log.write_text('{"epoch": 2, "iter": 30, "time": 0.1, "step": 30}\n{"epoch": 3, "it')
        assert epochs_done(cell) == 2  # the last line is just being written
        progress.finish('some/3', 'mIoU 50.00')
    said = capsys.readouterr().out
    assert f'my student: training, log in {tmp_path / "work"}\n' in said
    assert 'my student: mIoU 50.00, after 0:00:0' in said
    assert '2/4' in said
