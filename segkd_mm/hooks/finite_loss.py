"""Hook that stops training at weights or a loss that are infinite or NaN."""

from math import isfinite
from pathlib import Path

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import Tensor, nn

from segkd_mm.files import written_aside
from segkd_mm.hooks.unwrap import unwrapped_model


class NonFiniteLossError(RuntimeError):
    """Error of an infinite or NaN loss."""


class NonFiniteWeightsError(ValueError):
    """Error of weights to start from that are infinite or NaN."""


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop training at an infinite or NaN loss and save a snapshot of its inputs and weights.

    Before the first iteration the parameters are checked, by whichever way they came in: a training
    to resume, ``load_from``, or pretrained weights.

    The losses are checked after the forward pass, before the backward pass, so that the weights are
    those that gave them. The snapshot ``WORK_DIR/nonfinite_iter_K.pth`` (``_rankR`` in distributed
    runs) holds the state dict, the inputs, the masks, the paths of the images and the losses; read
    it with ``torch.load(FILE, weights_only=True)``.

    Raises:
        NonFiniteLossError: Names the losses, the iteration, the images and the snapshot.
        NonFiniteWeightsError: Names the parameters, and the file to resume or to load.
    """

    def before_train(self, runner: Runner) -> None:
        self.model = unwrapped_model(runner)
        faults = [name for name, p in self.model.named_parameters() if not p.isfinite().all()]
        if faults:
            raise NonFiniteWeightsError(
                f'The training would start from NaN or infinity in {len(faults)} of its '
                f'parameters, such as {faults[0]}. They came from '
                f'{runner._load_from or "the pretrained weights"}: take an earlier checkpoint or '
                'another file.'
            )

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        def check(_model: nn.Module, _args: tuple, batch: dict, losses: dict) -> None:
            # mmengine sums the entries with "loss" in their name; the others are only logged.
            parts = {name: _total(loss) for name, loss in losses.items() if 'loss' in name}
            if not torch.stack(list(parts.values())).isfinite().all():
                raise NonFiniteLossError(self._report(runner, batch, parts))

        # Removed after this iteration, so that validation and copies of the model do not run it.
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
            f'{runner.iter}; it has not changed the weights. Images: {", ".join(images)}. '
            f'For debugging, weights, inputs and labels are in {path}. Check these images and '
            'masks; try a lower learning rate or a warm-up, clip_grad in optim_wrapper, or for a '
            'term a schedule or a lower loss_weight.'
        )

    def _save(self, path: Path, summary: dict, batch: dict) -> None:
        labels = [sample.gt_sem_seg.data for sample in batch['data_samples']]
        state = self.model.state_dict()
        with written_aside(path) as aside:
            torch.save(
                {**summary, 'inputs': batch['inputs'], 'labels': labels, 'state_dict': state}, aside
            )


def _total(loss: Tensor | list[Tensor]) -> Tensor:
    """Sum of a loss, which in mmseg may be a tensor or a list of tensors."""
    parts = [loss] if isinstance(loss, Tensor) else loss
    return torch.stack([part.detach().float().sum() for part in parts]).sum()
