"""Many cells at once: order, failures, processes that are stopped."""

import signal
import sys
import time
from threading import Barrier, Thread, main_thread

import pytest

from segkd_mm.results.runs.processes import Processes, ProcessFailed
from segkd_mm.results.runs.progress import RunProgress, clock
from segkd_mm.results.runs.scheduler import job_environment, run_cells
from segkd_mm.results.runs.training import AlreadyRunning


def python(program: str) -> list[str]:
    return [sys.executable, '-c', program]


def test_the_others_go_on_when_one_fails(cell, capsys):
    cells = [cell(name, seed) for seed in (0, 1) for name in ('a', 'b')]
    ran = []

    def run(one, execute):
        ran.append(one.name)
        if one.name == 'b/0':
            raise ValueError('no such weights')
        if one.name == 'a/1':
            raise AlreadyRunning
        return {'metrics': {'mIoU': 12.345}}

    with RunProgress(4, 1) as progress:
        outcome = run_cells(cells, 1, run, progress)
    assert ran == ['a/0', 'b/0', 'a/1', 'b/1']
    assert outcome.failed == {'b/0': 'ValueError: no such weights'}
    assert outcome.already_running == ['a/1']
    said = capsys.readouterr().out
    assert 'a/0: mIoU 12.35, after 0:00:00' in said or 'a/0: mIoU 12.34, after 0:00:00' in said
    assert 'b/0: failed' in said


def test_as_many_run_at_once_as_there_are_jobs(cell):
    together = Barrier(2, timeout=5)  # breaks, and with it the run, where one is alone

    def run(one, execute):
        together.wait()
        return {'metrics': {'mIoU': 0.0}}

    cells = [cell('a', seed) for seed in range(4)]
    with RunProgress(4, 2) as progress:
        assert run_cells(cells, 2, run, progress).failed == {}


def test_an_interrupt_stops_processes_and_what_has_not_begun(cell, tmp_path, request):
    def run(one, execute):
        execute(
            python('import time; print("up", flush=True); time.sleep(60)'), tmp_path / one.name[0]
        )

    def interrupt():
        while not (tmp_path / 'a').exists() or 'up' not in (tmp_path / 'a').read_text():
            time.sleep(0.01)
        signal.pthread_kill(main_thread().ident, signal.SIGINT)

    # A shell lets its background jobs ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    Thread(target=interrupt).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt), RunProgress(2, 1) as progress:
        run_cells([cell('a'), cell('b')], 1, run, progress)
    assert time.monotonic() - start < 10
    assert not (tmp_path / 'b').exists()


def test_an_error_of_the_display_ends_the_run_at_once(cell, monkeypatch, tmp_path):
    def broken(_self, name, _how):
        raise BrokenPipeError(name)

    def run(one, execute):
        if one.name == 'a/0':
            execute(python('import time; time.sleep(60)'), tmp_path / 'log')
        return {'metrics': {'mIoU': 0.0}}

    monkeypatch.setattr(RunProgress, 'finish', broken)
    start = time.monotonic()
    with pytest.raises(BrokenPipeError, match='b/0'), RunProgress(3, 2) as progress:
        run_cells([cell('a'), cell('b'), cell('c')], 2, run, progress)
    assert time.monotonic() - start < 10


def test_a_failing_command_says_where_its_log_is_and_how_it_ends(tmp_path):
    log = tmp_path / 'compare.log'
    log.write_text('an earlier run\n')
    program = 'import sys\nfor i in range(30): print("line", i)\nsys.exit("out of memory")'
    with pytest.raises(ProcessFailed) as error:
        Processes().run(python(program), log, {})
    said = str(error.value)
    assert said.startswith(f'exit code 1; the end of {log}:')
    assert 'line 29' in said
    assert 'out of memory' in said
    assert 'line 5\n' not in said
    assert log.read_text().startswith('an earlier run\nline 0\n')


def test_a_command_sees_its_variables(tmp_path):
    program = 'import os, sys; sys.exit(os.environ["JOB"] != "7" or "PATH" not in os.environ)'
    Processes().run(python(program), tmp_path / 'log', {'JOB': '7'})


def test_each_job_has_its_share_of_the_cores_and_a_gpu(monkeypatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr('os.sched_getaffinity', lambda _: range(8))
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '2,5')
    assert job_environment(0, 3) == {'OMP_NUM_THREADS': '2', 'CUDA_VISIBLE_DEVICES': '2'}
    assert job_environment(1, 3)['CUDA_VISIBLE_DEVICES'] == '5'
    assert job_environment(2, 3)['CUDA_VISIBLE_DEVICES'] == '2'
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    assert job_environment(0, 16) == {'OMP_NUM_THREADS': '1'}


def test_time_left_is_by_what_has_ended(monkeypatch, capsys):
    now = iter([0.0, 60.0, 60.0])
    monkeypatch.setattr('segkd_mm.results.runs.progress.monotonic', lambda: next(now))
    progress = RunProgress(7, 2)
    progress.start('a/0')
    progress.finish('a/0', 'done')
    progress.start('b/0')
    # A minute each for six more, two at once.
    assert progress._progress.tasks[0].description == 'about 0:03:00 left; b/0'
    assert clock(3723.4) == '1:02:03'
