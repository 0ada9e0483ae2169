"""Distillation: taps, adapters, terms, the teacher, and the distiller that joins them."""

from segkd_mm.distill.cached_teacher import CachedTeacher
from segkd_mm.distill.distiller import SegDistiller
from segkd_mm.distill.taps import TapError, Taps
from segkd_mm.distill.teacher import Teacher
from segkd_mm.distill.teachers import Teachers
from segkd_mm.distill.whole_photo_teacher import WholePhotoTeacher

__all__ = [
    'CachedTeacher',
    'SegDistiller',
    'TapError',
    'Taps',
    'Teacher',
    'Teachers',
    'WholePhotoTeacher',
]
