"""Students that a new experiment can take."""

import pytest

from segkd_mm.scaffold import check_student, list_students


def test_students_of_one_head_and_a_backbone_with_taps():
    names = list_students()
    assert {'mnv3s_slim', 'mnv3s_nano', 'mnv3l_fcn', 'mnv4s_slim'} <= set(names)
    assert not {'psp_r18', 'mnv3s_backbone'} & set(names)


def test_another_is_an_error_with_those_that_exist():
    with pytest.raises(ValueError, match=r"mnv3_slim \(did you mean 'mnv3s_slim'"):
        check_student('mnv3_slim')
