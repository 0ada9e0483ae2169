"""Teachers from the command line, and the match of their classes with one's own."""

import pytest

from segkd_mm.config import load_config
from segkd_mm.scaffold import choose_teacher, match_names
from segkd_mm.scaffold.teachers import list_name

TEACHER = ['background', 'traffic light', 'car', 'bus', 'tree']


def test_names_match_without_regard_to_case_and_marks():
    assert match_names(['Car', 'traffic_light'], TEACHER, {}) == {'traffic_light': 'traffic light'}


def test_given_names_come_first():
    given = {'vehicle': ['car', 'bus'], 'sky': [], 'tree': ['background']}
    assert match_names(['vehicle', 'sky', 'tree'], TEACHER, given) == given | {'tree': 'background'}


@pytest.mark.parametrize(
    ('classes', 'given', 'message'),
    [
        (['car', 'sky', 'my road'], {}, r"no class of the name 'sky', 'my road'\."),
        (['car', 'sky', 'my road'], {}, r"--map sky= 'my road'=$"),
        (['car'], {'cra': ['car']}, r"'cra' is none of your classes \(did you mean 'car'\?\)"),
        (['car'], {'car': ['buss']}, r"'buss' is none of the teacher's classes \(did you mean 'b"),
    ],
)
def test_what_has_no_match_is_an_error_with_the_option_to_give(classes, given, message):
    with pytest.raises(ValueError, match=message):
        match_names(classes, TEACHER, given)


def test_a_teacher_of_torchvision_knows_its_classes():
    teacher = choose_teacher('torchvision://fcn_resnet50')
    assert teacher.model['num_classes'] == len(teacher.classes) == 21
    assert list_name(teacher.classes) == 'voc'
    assert list_name(['sky', 'road']) is None
    assert teacher.checkpoint == 'torchvision://fcn_resnet50'


def test_a_teacher_of_a_config_has_the_classes_of_its_data(teacher_file):
    teacher = choose_teacher('teacher/mnv3s_wide_shapes.py', str(teacher_file))
    assert teacher.model == load_config('teacher/mnv3s_wide_shapes.py').filename
    assert teacher.classes[:2] == ['background', 'disc'] and len(teacher.classes) == 8


@pytest.mark.parametrize(
    ('source', 'error', 'message'),
    [
        ('torchvision://resnet18', ValueError, "no segmentation model 'resnet18' with weights"),
        ('fcn_resnet50', ValueError, 'expected torchvision://MODEL, hf://OWNER/NAME, a folder'),
        ('student/mnv3s_slim_voc.py', FileNotFoundError, r'work_dirs/mnv3s_slim_voc/best.pth does'),
    ],
)
def test_what_is_no_teacher_is_an_error(source, error, message):
    with pytest.raises(error, match=message):
        choose_teacher(source)
