import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner


class Weights(Hook):
    """What the term weighs in each iteration."""

    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append(runner.model.terms['logits'].weight)


def train(config, seen):
    runner = Runner.from_cfg(config)
    runner.register_hook(seen, priority='LOWEST')
    runner.train()


@pytest.mark.slow
def test_the_weight_follows_the_training_and_goes_on_after_a_resume(tiny):
    def config(**options):
        made = tiny('kd/response_kd_shapes.py', **options)
        made.model.terms.logits.schedule = [(0, 0), (0.5, 1), (0.75, 1), (0.75, 0)]
        made.model.terms.logits.loss.loss_weight = 2.0
        return made

    # 2 epochs of 4 iterations: up by a quarter of 2 each, level for two, then off.
    expected = [0, 0.5, 1, 1.5, 2, 2, 0, 0]
    straight, resumed = Weights(), Weights()
    train(config(), straight)
    assert straight.seen == pytest.approx(expected)
    again = config(resume=True)
    again.load_from = f'{again.work_dir}/epoch_1.pth'
    train(again, resumed)
    assert resumed.seen == pytest.approx(expected[4:])
