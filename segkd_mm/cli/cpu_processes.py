"""Mixin of a runner: several processes, on a machine without a GPU, too."""

import os
from datetime import timedelta

import torch
from torch import nn
from torch.nn.modules.batchnorm import SyncBatchNorm


class CPUProcesses:
    """Mixin of mmengine's ``Runner`` (before it in the bases), which expects a GPU in each process.

    Without a GPU the processes of ``torchrun`` communicate by gloo, and the wrapper of the model is
    given no devices. With one, only restarts are checked.

    Raises:
        ValueError: The model has synchronised batch norms, which torch computes on a GPU only; or
            torchrun is to restart processes, which would then not find each other.
    """

    def setup_env(self, env_cfg: dict) -> None:
        if self.launcher == 'pytorch':
            _check_restarts()
            if not torch.cuda.is_available():
                seconds = env_cfg.get('dist_cfg', {}).get('timeout', 1800)
                torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=seconds))
        super().setup_env(env_cfg)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        if not self.distributed or torch.cuda.is_available():
            return super().wrap_model(model_wrapper_cfg, model)
        _check_norms(model, self.cfg.get('sync_bn'))
        if model_wrapper_cfg is None:
            unused = self.cfg.get('find_unused_parameters', False)
            # What Runner gives, but for the devices.
            model_wrapper_cfg = dict(
                broadcast_buffers=False, find_unused_parameters=unused, device_ids=None
            )
        return super().wrap_model(model_wrapper_cfg, model)


def _check_restarts() -> None:
    # Restarted processes read from a shared store where the earlier ones listened, and wait for
    # them until the timeout: https://github.com/pytorch/pytorch/issues/135712
    shared = os.environ.get('TORCHELASTIC_USE_AGENT_STORE') == 'True'
    if shared and os.environ.get('TORCHELASTIC_MAX_RESTARTS', '0') != '0':
        raise ValueError(
            'torchrun --max-restarts: restarted processes would wait for those that have ended. '
            'Start it as TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 torchrun --rdzv_backend c10d ... '
            '(on one machine --standalone).'
        )


def _check_norms(model: nn.Module, sync_bn: str | None) -> None:
    names = [name for name, one in model.named_modules() if isinstance(one, SyncBatchNorm)]
    if names or sync_bn:
        raise ValueError(
            f'{f"{names[0]} is a SyncBN" if names else f"sync_bn is {sync_bn!r}"}, which torch '
            'computes on a GPU only, and this machine has none. Leave sync_bn out of the config '
            "and write 'BN' in norm_cfg: each process then normalises by the statistics of its own "
            'images.'
        )
