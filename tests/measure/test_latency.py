import pytest
import torch
import torchvision
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from segkd_mm.measure import latency, model_cost


class Clock:
    """Stands still unless a model runs."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def model(self, *costs):
        costs = iter(costs)

        def run(_inputs):
            self.now += next(costs)

        return run


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(latency, 'perf_counter', clock)
    return clock


def test_parameters_of_a_convolution():
    assert model_cost.count_parameters(nn.Conv2d(3, 8, 3)) == 3 * 8 * 3 * 3 + 8


def test_gmacs_of_a_convolution():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
    assert model_cost.count_gmacs(model, (32, 32)) == pytest.approx(16 * 16 * 8 * 3 * 3 * 3 / 1e9)


def test_gmacs_of_attention():
    class Attention(nn.Conv2d):
        def forward(self, inputs):
            tokens = super().forward(inputs).flatten(2).transpose(1, 2)
            return scaled_dot_product_attention(tokens, tokens, tokens)

    # 16 tokens of 4 channels: a 1x1 convolution, then 16 x 16 scores and as many weighted sums.
    macs = 16 * 3 * 4 + 16 * 16 * 4 + 16 * 16 * 4
    assert model_cost.count_gmacs(Attention(3, 4, 1), (4, 4)) == pytest.approx(macs / 1e9)


@pytest.mark.parametrize('name', ['mobilenet_v3_large', 'resnet18'])
def test_gmacs_are_the_published_ones(name):
    published = torchvision.models.get_model_weights(name).DEFAULT.meta['_ops']
    gmacs = model_cost.count_gmacs(torchvision.models.get_model(name), (224, 224))
    assert gmacs == pytest.approx(published, abs=5e-4)


def test_peak_memory_is_weights_and_what_lives_at_once():
    model = nn.Sequential(nn.Linear(8, 1024, bias=False), nn.ReLU(), nn.ReLU())
    weights, activation = 8 * 1024 * 4, 256 * 1024 * 4
    # While a ReLU runs, its input and its output live.
    expected = (weights + 2 * activation) / 2**20
    assert model_cost.peak_memory(model, torch.rand(256, 8)) == pytest.approx(expected)


def test_latency_by_hand():
    summary = latency.Latency.from_seconds([0.03, 0.01, 0.1, 0.02, 0.04], batch=2)
    assert summary.median_ms == pytest.approx(30)
    # The 90th percentile of 5 times lies 0.6 of the way from the 4th to the 5th.
    assert summary.p90_ms == pytest.approx(40 + 0.6 * 60)
    assert summary.fps == pytest.approx(2 / 0.03)
    assert summary.repeats == 5


def test_warmup_is_not_timed(clock):
    models = {'a': clock.model(9, 0.1, 0.3, 0.2), 'b': clock.model(9, 1, 1, 1)}
    measured = latency.measure_latency(models, torch.rand(4, 3, 2, 2), warmup=1, repeats=3)
    assert measured['a'].median_ms == pytest.approx(200)
    assert measured['a'].fps == pytest.approx(20)
    assert measured['b'].median_ms == measured['b'].p90_ms == pytest.approx(1000)
    assert measured['a'].repeats == measured['b'].repeats == 3


def test_models_take_turns():
    calls = []
    models = {name: lambda _inputs, name=name: calls.append(name) for name in 'abc'}
    latency.measure_latency(models, torch.rand(1, 3, 2, 2), warmup=1, repeats=2)
    assert calls == list('abc') * 3


# A round costs 1.25 s: 16 s have passed after 13 rounds (16.25 s), and 2 of these were warm-up.
@pytest.mark.parametrize(('seconds', 'repeats'), [(0, 10), (16, 11), (1000, 20)])
def test_slow_models_are_timed_less_often(clock, seconds, repeats):
    models = {'teacher': clock.model(*[1] * 22), 'student': clock.model(*[0.25] * 22)}
    measured = latency.measure_latency(models, torch.rand(1, 3, 2, 2), 2, 20, seconds)
    assert {latency.repeats for latency in measured.values()} == {repeats}


def test_no_repeats_is_an_error():
    with pytest.raises(ValueError, match='repeats=0: at least one'):
        latency.measure_latency({}, torch.rand(1, 3, 2, 2), repeats=0)


def test_models_run_in_eval_mode_without_autograd_and_are_put_back():
    class Spy(nn.Sequential):
        def forward(self, inputs):
            seen.append((self.training, self[0].training, torch.is_inference_mode_enabled()))
            return super().forward(inputs)

    seen = []
    spy = Spy(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    spy[1].eval()
    inputs = torch.rand(1, 3, 4, 4)
    latency.measure_latency({'spy': spy}, inputs, 1, 1)
    model_cost.peak_memory(spy, inputs)
    model_cost.count_gmacs(spy, (4, 4))
    assert set(seen) == {(False, False, True)}
    assert [module.training for module in spy.modules()] == [True, True, False]
    assert not spy[1].num_batches_tracked


def test_mode_is_put_back_after_an_error():
    model = nn.Conv2d(3, 3, 1)
    with pytest.raises(RuntimeError):
        latency.measure_latency({'model': model}, torch.rand(1, 4, 2, 2))
    assert model.training
