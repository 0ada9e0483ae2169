"""Hook that seeds torch before every iteration, so that resumed trainings are exact."""

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed torch before every iteration with the run's seed, the iteration and the rank.

    Checkpoints do not hold the state of the random generators. With this hook, dropout at iteration
    k depends only on k, so that a resumed run gives the same weights as one without a stop. The
    replay samplers of ``segkd_mm.datasets`` do the same for the data.

    Raises:
        TypeError: The sampler of the training data is another one, with which a resumed run would
            get other samples.
        ValueError: The sampler counts in batches of another size than the loader's.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        loader = runner.train_dataloader
        sampler = getattr(loader.batch_sampler, 'sampler', loader.sampler)
        if not getattr(sampler, 'replays', False):
            raise TypeError(
                f'The training data have the sampler {type(sampler).__name__}, with which a '
                'resumed run differs from one that was never stopped: write '
                "train_dataloader.sampler.type='ReplayEpochSampler' (EpochBasedTrainLoop) or "
                "'ReplayInfiniteSampler' (IterBasedTrainLoop) in the config. To train without "
                'exact resume, remove IterationSeedHook from custom_hooks.'
            )
        size = getattr(sampler, 'batch_size', loader.batch_size)
        if size != loader.batch_size:
            raise ValueError(
                f'train_dataloader.sampler.batch_size is {size}, train_dataloader.batch_size is '
                f'{loader.batch_size}: they must be the same, so that each batch has its labelled '
                'images.'
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        torch.manual_seed(hash((runner.seed, runner.iter, get_rank())) % 2**63)
