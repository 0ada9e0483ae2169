"""Distillation losses: pure functions, and thin registered modules over them."""

from segkd_mm.losses.modules import *  # noqa: F403
from segkd_mm.losses.modules import __all__ as __all__
