"""Hooks for mmengine's runner."""

from segkd_mm.hooks.best_link import BestLinkHook
from segkd_mm.hooks.checkpoint import WholeCheckpointHook
from segkd_mm.hooks.class_weights import ClassWeightHook
from segkd_mm.hooks.early_stopping import ResumableEarlyStoppingHook
from segkd_mm.hooks.finite_loss import (
    FiniteLossHook,
    NonFiniteLossError,
    NonFiniteWeightsError,
)
from segkd_mm.hooks.freeze import FreezeHook
from segkd_mm.hooks.iteration_seed import IterationSeedHook
from segkd_mm.hooks.label_check import LabelCheckHook, LabelError, check_outputs
from segkd_mm.hooks.progress import TestBarHook, TrainingLinesHook
from segkd_mm.hooks.shard_teacher import ShardTeacherHook
from segkd_mm.hooks.stop import StopHook, Stopped
from segkd_mm.hooks.term_schedule import TermScheduleHook
from segkd_mm.hooks.term_statistics import TermStatisticsHook

__all__ = [
    'BestLinkHook',
    'ClassWeightHook',
    'FiniteLossHook',
    'FreezeHook',
    'IterationSeedHook',
    'LabelCheckHook',
    'LabelError',
    'NonFiniteLossError',
    'NonFiniteWeightsError',
    'ResumableEarlyStoppingHook',
    'ShardTeacherHook',
    'StopHook',
    'Stopped',
    'TermScheduleHook',
    'TermStatisticsHook',
    'TestBarHook',
    'TrainingLinesHook',
    'WholeCheckpointHook',
    'check_outputs',
]
