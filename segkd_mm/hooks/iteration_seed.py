"""Randomness that is the same whether or not a training was stopped and resumed."""

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed torch before every iteration from the run's seed, the iteration and the rank.

    Checkpoints hold no state of the random generators; with this, dropout at iteration k depends
    on k alone, so that a resumed run goes on as if it had never stopped. The data's part is done
    by the replay samplers of ``segkd_mm.datasets``.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        torch.manual_seed(hash((runner.seed, runner.iter, get_rank())) % 2**63)
