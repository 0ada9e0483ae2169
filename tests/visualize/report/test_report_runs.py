import json

import pytest

from segkd_mm.visualize.report.runs import read_runs


def test_a_folder_that_is_no_work_directory_is_named(work_dirs):
    with pytest.raises(FileNotFoundError, match=r'nix: missing\. Expected the folder'):
        read_runs([work_dirs / 'nix'])
    message = r'work_dirs: not a work directory: no train.json.*folders in it are: kd, plain\.'
    with pytest.raises(FileNotFoundError, match=message):
        read_runs([work_dirs])


def test_a_tested_teacher_of_a_distillation_is_added(work_dirs):
    teacher = work_dirs.parent / 'teachers' / 't'
    teacher.mkdir(parents=True)
    (teacher / 'best.pth').touch()
    settings = {'model.type': '"SegDistiller"', 'model.teacher.teacher.checkpoint': '"T"'}
    text = json.dumps(settings).replace('T\\"', f'{teacher}/best.pth\\"')
    (work_dirs / 'kd' / 'config.json').write_text(text)
    assert [run.name for run in read_runs([work_dirs / 'kd'])] == ['kd']
    (teacher / 'test_val.json').write_text(json.dumps({'metrics': {'mIoU': 70.0}}))
    (_, kd, found) = read_runs([work_dirs / 'plain', work_dirs / 'kd', work_dirs / 'plain'])
    assert (kd.name, kd.role) == ('work_dirs/kd', 'distilled student')
    assert (found.name, found.role, found.miou) == ('teachers/t', 'teacher', 70.0)
    assert (found.log, found.training, found.label_maps) == (None, None, None)
