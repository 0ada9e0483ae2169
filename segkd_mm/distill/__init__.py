"""Distillation: taps, adapters, terms, the teacher, and the distiller that joins them."""

from segkd_mm.distill.distiller import SegDistiller
from segkd_mm.distill.ensemble import TeacherEnsemble
from segkd_mm.distill.taps import TapError, Taps
from segkd_mm.distill.teacher import Teacher

__all__ = ['SegDistiller', 'TapError', 'Taps', 'Teacher', 'TeacherEnsemble']
