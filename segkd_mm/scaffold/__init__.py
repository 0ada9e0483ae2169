"""New experiments: a survey of the data, the rules of the recipe, and the text of the config."""

from segkd_mm.scaffold.config_text import config_text
from segkd_mm.scaffold.fitting_student import choose_student, measure_students, student_rows
from segkd_mm.scaffold.mask_classes import MaskClasses, classes_of
from segkd_mm.scaffold.recipe import Recipe, choose_recipe
from segkd_mm.scaffold.students import check_student, list_students
from segkd_mm.scaffold.survey import Survey, survey
from segkd_mm.scaffold.teachers import TeacherChoice, choose_teacher, match_names

__all__ = [
    'MaskClasses',
    'Recipe',
    'Survey',
    'TeacherChoice',
    'check_student',
    'choose_recipe',
    'choose_student',
    'choose_teacher',
    'classes_of',
    'config_text',
    'list_students',
    'match_names',
    'measure_students',
    'student_rows',
    'survey',
]
