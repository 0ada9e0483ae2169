"""mmengine's EarlyStoppingHook for trainings that are resumed."""

from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

# With the name of the score: best score, and validations since it; kept in checkpoints.
STATE = 'early_stopping_{}'


@HOOKS.register_module(name='EarlyStoppingHook')
class ResumableEarlyStoppingHook(EarlyStoppingHook):
    """mmengine's ``EarlyStoppingHook``, under its name in mmseg; its count is in checkpoints."""

    # Before CheckpointHook, which after a best score saves the last checkpoint again.
    priority = 'LOW'

    @property
    def _key(self) -> str:
        return STATE.format(self.monitor)

    def before_train(self, runner: Runner) -> None:
        if not runner.iter:
            runner.message_hub.runtime_info.pop(self._key, None)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        # Read here: a resumed training may begin with a validation.
        earlier = runner.message_hub.runtime_info.get(self._key)
        if earlier is not None:
            self.best_score, self.wait_count = earlier
        super().after_val_epoch(runner, metrics)
        runner.message_hub.update_info(self._key, (float(self.best_score), self.wait_count))
