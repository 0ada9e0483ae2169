"""Hook that keeps a copy of the work directory on a store, up to date with its checkpoints."""

import logging

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from segkd_mm.results.store_copy import StoreCopy


class StoreCopyHook(Hook):
    """Update a :class:`StoreCopy` at the start, after each checkpoint and after each validation.

    Training waits for the copy. A store that fails later than at the start is a warning: the next
    checkpoint tries again.

    Raises:
        StoreError: At the start: nothing can be written there.
    """

    priority = 'LOWEST'  # after CheckpointHook

    def __init__(self, copy: StoreCopy) -> None:
        self.copy = copy
        self.copied: str | None = None  # the last checkpoint that is there
        self.has_begun = False  # a training that never began leaves the store as it was

    @master_only
    def before_train(self, runner: Runner) -> None:
        self.copy.begin()
        self.has_begun = True
        self.copied = runner.message_hub.get_info('last_ckpt')

    def after_train_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        self._after_checkpoint(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        self._after_checkpoint(runner)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self.update()

    def _after_checkpoint(self, runner: Runner) -> None:
        newest = runner.message_hub.get_info('last_ckpt')
        if newest != self.copied:
            self.copied = newest
            self.update()

    @master_only
    def update(self) -> None:
        """Copy what has changed since the training began; warns where that fails."""
        if not self.has_begun:
            return
        try:
            self.copy.update()
        except Exception as error:  # each store's library has its own
            print_log(
                f'--copy-to {self.copy.address}: not copied ({type(error).__name__}: {error}); '
                f'all is in {self.copy.work_dir}.',
                'current',
                logging.WARNING,
            )
