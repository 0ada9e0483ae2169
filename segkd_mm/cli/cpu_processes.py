"""Mixin of a runner: several processes on a machine without a GPU."""

from datetime import timedelta

import torch
from torch import nn


class CPUProcesses:
    """Mixin of mmengine's ``Runner`` (before it in the bases), which expects a GPU in each process.

    Without a GPU the processes of ``torchrun`` communicate by gloo, and the wrapper of the model is
    given no devices. With one, nothing changes.
    """

    def setup_env(self, env_cfg: dict) -> None:
        if self.launcher == 'pytorch' and not torch.cuda.is_available():
            seconds = env_cfg.get('dist_cfg', {}).get('timeout', 1800)
            torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=seconds))
        super().setup_env(env_cfg)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        if self.distributed and model_wrapper_cfg is None and not torch.cuda.is_available():
            unused = self.cfg.get('find_unused_parameters', False)
            # What Runner gives, but for the devices.
            model_wrapper_cfg = dict(
                broadcast_buffers=False, find_unused_parameters=unused, device_ids=None
            )
        return super().wrap_model(model_wrapper_cfg, model)
