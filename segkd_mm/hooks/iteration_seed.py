"""Hook that seeds torch before every iteration, so that resumed trainings are exact."""

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed torch before every iteration from the run's seed, the iteration and the rank.

    Checkpoints do not hold the state of the random generators. With this hook, dropout at iteration
    k depends only on k, so that a resumed run gives the same weights as one without a stop. The
    replay samplers of ``segkd_mm.datasets`` do the same for the data.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        torch.manual_seed(hash((runner.seed, runner.iter, get_rank())) % 2**63)
