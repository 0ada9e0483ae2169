import pytest
import torch
from mmengine.runner import Runner

from segkd_mm.hooks import TermStatisticsHook


def trained(config, *hooks, weight=2.0):
    """The student after an epoch of four iterations, and the numbers of the term by iteration."""
    config.model.terms.logits.schedule = [(0, 0), (0.5, 1)]
    config.model.terms.logits.loss.loss_weight = weight
    config.default_hooks.logger.interval = 1
    config.train_cfg.update(max_epochs=1, val_interval=5)
    runner = Runner.from_cfg(config)
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    scalars = runner.message_hub.log_scalars
    return runner.model.student.state_dict(), {
        key.removeprefix('train/terms.logits.'): buffer.data[0][:4].tolist()
        for key, buffer in scalars.items()
        if key.startswith('train/terms.')
    }


@pytest.mark.slow
def test_a_term_is_measured_in_a_training_that_stays_the_same_to_the_bit(tiny):
    plain, _ = trained(tiny('kd/response_kd_shapes.py'))
    watched, found = trained(tiny('kd/response_kd_shapes.py'), TermStatisticsHook())
    assert all(torch.equal(watched[key], value) for key, value in plain.items())
    assert found['weight'] == pytest.approx([0, 1, 2, 2])  # half of the training from 0 to 1
    assert found['gradient_ratio'][0] == 0 < min(found['gradient_ratio'][1:])
    assert len(found['agreement']) == 3  # where the term is on
    assert 0 < found['agreement'][0] < 1
    # Before the first step that has the term, the weights are the same with any weight.
    _, twice = trained(tiny('kd/response_kd_shapes.py'), TermStatisticsHook(), weight=4.0)
    assert twice['gradient_ratio'][1] == pytest.approx(2 * found['gradient_ratio'][1], rel=1e-4)
    assert twice['agreement'][0] == found['agreement'][0]
