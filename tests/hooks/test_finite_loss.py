from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from segkd_mm.hooks import FiniteLossHook, NonFiniteLossError, NonFiniteWeightsError


def weights(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def break_at(runner, iteration, name, value):
    """Make one of the losses of an iteration infinite or NaN; give the weights before it."""
    model, before = runner.model, []
    forward = model.forward

    def broken(inputs, data_samples, mode):
        losses = forward(inputs, data_samples, mode=mode)
        if mode == 'loss' and runner.iter == iteration:
            before.append(weights(model))
            losses[name] = losses[name] * value
        return losses

    model.forward = broken
    return before


@pytest.mark.slow
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_the_run_stops_before_it_trains_on_and_says_what_led_to_it(tiny, value):
    runner = Runner.from_cfg(tiny('kd/response_kd_shapes.py'))
    before = break_at(runner, 2, 'terms.logits.loss', value)
    with pytest.raises(NonFiniteLossError) as error:
        runner.train()
    snapshot = Path(runner.work_dir) / 'nonfinite_iter_2.pth'
    message = str(error.value)
    assert message.startswith(f'terms.logits.loss is {value} at iteration 2;')
    assert str(snapshot) in message

    kept = torch.load(snapshot, weights_only=True)
    assert all(torch.equal(kept['state_dict'][k], v) for k, v in before[0].items())
    assert all(torch.equal(runner.model.state_dict()[k], v) for k, v in before[0].items()
               if 'running' not in k and 'num_batches' not in k)  # fmt: skip
    assert kept['iteration'] == 2
    assert len(kept['images']) == len(kept['inputs']) == len(kept['labels']) == 4
    assert all(Path(image).is_file() and image in message for image in kept['images'])
    assert 0 < kept['losses']['decode.loss_ce'] < 100
    assert list(Path(runner.work_dir).glob('*.new')) == []


@pytest.mark.slow
def test_a_training_does_not_start_from_weights_that_are_no_numbers(tiny, tmp_path):
    model = Runner.from_cfg(tiny('student/mnv3s_slim_shapes.py')).model
    state = model.state_dict()
    state['decode_head.conv_seg.bias'][1] = float('nan')
    torch.save(state, tmp_path / 'broken.pth')
    runner = Runner.from_cfg(
        tiny('student/mnv3s_slim_shapes.py', load_from=str(tmp_path / 'broken.pth'))
    )
    message = r'in 1 of its parameters, such as decode_head\.conv_seg\.bias\. .*broken\.pth'
    with pytest.raises(NonFiniteWeightsError, match=message):
        runner.train()


@pytest.mark.slow
def test_a_plain_student_is_guarded_too(tiny):
    runner = Runner.from_cfg(tiny('student/mnv3s_slim_shapes.py'))
    break_at(runner, 1, 'decode.loss_ce', float('nan'))
    with pytest.raises(NonFiniteLossError, match=r'^decode\.loss_ce is nan at iteration 1;'):
        runner.train()


class FakeRunner:
    def __init__(self, model, work_dir):
        self.model, self.work_dir, self.iter, self.distributed = model, str(work_dir), 7, False


@pytest.mark.parametrize(
    ('losses', 'bad'),
    [
        ({'loss': [torch.ones(2), torch.tensor(float('nan'))]}, True),
        ({'loss': torch.ones(()), 'acc_seg': torch.tensor(float('nan'))}, False),
        ({'loss': torch.tensor(3e38), 'aux_loss': torch.tensor(1.0)}, False),
    ],
)
def test_lists_count_and_what_is_no_loss_does_not(tmp_path, losses, bad):
    class Model(torch.nn.Module):
        def forward(self, **batch):
            return losses

    model, hook = Model(), FiniteLossHook()
    runner = FakeRunner(model, tmp_path)
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    batch = {'inputs': torch.zeros(1), 'data_samples': []}
    if bad:
        with pytest.raises(NonFiniteLossError, match='loss is nan at iteration 7'):
            model(**batch)
    else:
        model(**batch)
    hook.after_train_iter(runner, 0)
    model(**batch)  # outside of an iteration nothing looks
