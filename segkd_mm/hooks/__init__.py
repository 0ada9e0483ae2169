"""Hooks of mmengine's runner."""

from segkd_mm.hooks.best_link import BestLinkHook
from segkd_mm.hooks.class_weights import ClassWeightHook
from segkd_mm.hooks.freeze import FreezeHook
from segkd_mm.hooks.iteration_seed import IterationSeedHook

__all__ = ['BestLinkHook', 'ClassWeightHook', 'FreezeHook', 'IterationSeedHook']
