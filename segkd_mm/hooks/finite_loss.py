"""A training that stops at the first loss that is no number, before it is trained on."""

from math import isfinite
from pathlib import Path

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor, nn

from segkd_mm.files import written_aside


class NonFiniteLossError(RuntimeError):
    """A loss is infinite or NaN."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop the run where a loss is infinite or NaN, with a snapshot of what led to it.

    The losses are looked at as they leave the model, before the backward pass: the weights are
    those that gave them. The snapshot ``WORK_DIR/nonfinite_iter_K.pth`` (``_rankR`` in distributed
    runs) holds the state dict, the inputs, the labels, the paths of the images and the losses; read
    it with ``torch.load(FILE, weights_only=True)``.

    Raises:
        NonFiniteLossError: Names the losses, the iteration, the images and the snapshot.
    """

    def before_train(self, runner: Runner) -> None:
        self.model = runner.model.module if is_model_wrapper(runner.model) else runner.model

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        def check(_model: nn.Module, _args: tuple, batch: dict, losses: dict) -> None:
            # mmengine adds up what has "loss" in its name; the rest is there to be looked at.
            parts = {name: _total(loss) for name, loss in losses.items() if 'loss' in name}
            if not torch.stack(list(parts.values())).isfinite().all():
                raise NonFiniteLossError(self._report(runner, batch, parts))

        # Only for this iteration: copies of the model and validation know nothing of it.
        self.handle = self.model.register_forward_hook(check, with_kwargs=True)

    def after_train_iter(self, *_unused: object, **_named: object) -> None:
        self.handle.remove()

    def _report(self, runner: Runner, batch: dict, losses: dict[str, Tensor]) -> str:
        values = {name: loss.item() for name, loss in losses.items()}
        images = [sample.metainfo.get('img_path', '?') for sample in batch['data_samples']]
        rank = f'_rank{get_rank()}' if runner.distributed else ''
        path = Path(runner.work_dir) / f'nonfinite_iter_{runner.iter}{rank}.pth'
        self._save(path, {'losses': values, 'images': images, 'iteration': runner.iter}, batch)
        bad = [f'{name} is {value}' for name, value in values.items() if not isfinite(value)]
        return (
            f'{", ".join(bad)} at iteration '
            f'{runner.iter}; the weights have not been changed by it. Images: {", ".join(images)}. '
            f'For debugging, weights, inputs and labels are in {path}. What helps most often: a '
            'lower learning rate or a warm-up, clip_grad in optim_wrapper, for a term a schedule '
            'or a lower loss_weight; and a look at those images and masks.'
        )

    def _save(self, path: Path, what: dict, batch: dict) -> None:
        labels = [sample.gt_sem_seg.data for sample in batch['data_samples']]
        state = self.model.state_dict()
        with written_aside(path) as aside:
            torch.save(
                {**what, 'inputs': batch['inputs'], 'labels': labels, 'state_dict': state}, aside
            )


def _total(loss: Tensor | list[Tensor]) -> Tensor:
    """One number of a loss, which in mmseg may be a list of them."""
    parts = [loss] if isinstance(loss, Tensor) else loss
    return torch.stack([part.detach().float().sum() for part in parts]).sum()
