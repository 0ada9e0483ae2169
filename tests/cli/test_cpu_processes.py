"""What several processes on a machine without a GPU refuse."""

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from segkd_mm.cli.cpu_processes import CPUProcesses


class Wrapping(CPUProcesses, Runner):
    """A runner that only wraps models."""

    launcher, distributed = 'pytorch', True

    def __init__(self, **config):
        self.cfg = Config(config)


@pytest.mark.skipif(torch.cuda.is_available(), reason='a GPU computes it')
def test_a_synchronised_batch_norm_is_an_error_that_names_it():
    for config, norm, found in (
        ({}, nn.SyncBatchNorm(3), '1 is a SyncBN'),
        ({'sync_bn': 'torch'}, nn.BatchNorm2d(3), "sync_bn is 'torch'"),
    ):
        model = nn.Sequential(nn.Conv2d(3, 3, 1), norm)
        with pytest.raises(ValueError, match=rf"{found}, .* on a GPU only.*'BN' in norm_cfg"):
            Wrapping(**config).wrap_model(None, model)


def test_restarts_that_would_wait_for_ended_processes_are_an_error(monkeypatch):
    monkeypatch.setenv('TORCHELASTIC_MAX_RESTARTS', '1')
    monkeypatch.setenv('TORCHELASTIC_USE_AGENT_STORE', 'True')
    with pytest.raises(ValueError, match='TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 torchrun'):
        Wrapping().setup_env({})
