"""Checks of an experiment before a run: data, accuracy, labels, terms, gradients and cost."""

from segkd_mm.doctor.accuracy import accuracy_title, check_accuracy
from segkd_mm.doctor.cost import check_cost
from segkd_mm.doctor.data import check_data
from segkd_mm.doctor.experiment import Experiment
from segkd_mm.doctor.finding import Finding, Report
from segkd_mm.doctor.gradients import check_gradients
from segkd_mm.doctor.labels import check_labels
from segkd_mm.doctor.taps import check_taps

__all__ = [
    'Experiment',
    'Finding',
    'Report',
    'accuracy_title',
    'check_accuracy',
    'check_cost',
    'check_data',
    'check_gradients',
    'check_labels',
    'check_taps',
]
