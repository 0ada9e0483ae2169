import json

import pytest


@pytest.mark.slow
def test_a_user_is_told_what_is_wrong_and_nothing_else_is_written(
    script, tmp_path, shapes, teacher_file
):
    options = [f'data_root={shapes}', 'train_dataloader.batch_size=2',
               'train_dataloader.dataset.num_train=16', 'train_dataloader.dataset.num_val=4',
               'val_dataloader.dataset.num_train=16', 'val_dataloader.dataset.num_val=4',
               f'model.teacher.checkpoint={teacher_file}']  # fmt: skip
    words = ['configs/kd/response_kd_shapes.py', '--images', 2, '--cfg-options', *options]
    run = script('tools/doctor.py', *words, cwd=tmp_path)
    assert run.returncode == 1, run.stderr
    for title in ('Data', 'Accuracy of the teacher', 'Terms', 'Gradients of the terms', 'Cost'):
        assert title in run.stdout
    assert 'Errors: 1, ' in run.stdout  # the teacher is a random one
    files = [path for path in tmp_path.rglob('*') if path.is_file()]
    (result,) = files
    assert result.name == 'doctor.json'
    checks = json.loads(result.read_text())['checks']
    assert [f['level'] for f in checks[1]['findings']] == ['error']
    assert all(check['rows'] for check in checks)


@pytest.mark.slow
def test_data_that_are_not_there_are_said_once(script, tmp_path):
    run = script('tools/doctor.py', 'configs/student/mnv3s_slim_camvid.py', '--cfg-options',
                 'data_root=/nowhere', cwd=tmp_path)  # fmt: skip
    assert run.returncode == 1
    assert run.stdout.count('/nowhere does not exist') == 1
    assert 'Accuracy of the initial weights' in run.stdout  # there is no teacher
    assert run.stdout.count('Not checked: see Data.') == 2
    assert 'Errors: 1, warnings: 0' in run.stdout
