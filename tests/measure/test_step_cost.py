import pytest
import torch

from segkd_mm.config import load_config
from segkd_mm.measure import latency
from segkd_mm.measure.step_cost import (
    TermsStep,
    TrainingStep,
    build_model,
    random_batch,
    step_costs,
)

CPU = torch.device('cpu')


def test_a_batch_of_noise_has_the_size_and_the_classes():
    batch = random_batch(3, (40, 56), num_classes=4)
    assert [tuple(image.shape) for image in batch['inputs']] == 3 * [(3, 40, 56)]
    labels = torch.cat([sample.gt_sem_seg.data for sample in batch['data_samples']])
    assert labels.shape == (3, 40, 56)
    assert set(labels.unique().tolist()) == {0, 1, 2, 3}
    assert torch.equal(labels[0, :16, :16], labels[0, 0, 0].expand(16, 16))


def test_a_step_trains_and_can_be_taken_again(tiny):
    config = tiny('kd/response_kd_shapes.py')
    model = build_model(config, CPU)
    before = {key: value.clone() for key, value in model.named_parameters()}
    step = TrainingStep(model, config, random_batch(2, (64, 64), config.num_classes))
    step()
    first = {key: value.clone() for key, value in model.named_parameters()}
    step()
    for one, other in ((before, first), (first, dict(model.named_parameters()))):
        assert any(not torch.equal(one[key], other[key]) for key in one)
    assert step.batch['inputs'][0].shape == (3, 64, 64)


def test_the_terms_alone_are_those_of_a_step(tiny):
    config = tiny('kd/response_kd_shapes.py')
    config.model.student.decode_head.dropout_ratio = 0
    model = build_model(config, CPU)
    batch = random_batch(2, (64, 64), config.num_classes)
    run = TermsStep(model, batch)
    run()
    (tapped,) = run.student.values()
    alone = run.terms['logits'](tapped, run.teacher, run.labels)
    data = model.data_preprocessor(batch, True)
    assert alone.item() == pytest.approx(model(**data, mode='loss')['terms.logits.loss'].item())
    assert tapped.grad.any()


def test_schedules_are_at_their_highest(tiny):
    config = tiny('kd/response_kd_shapes.py')
    config.model.terms.logits.schedule = [(0, 0), (0.3, 0.5), (0.6, 2), (1, 0)]
    assert build_model(config, CPU).terms['logits'].factor == 2


def test_a_plain_config_needs_no_terms():
    model = build_model(load_config('student/mnv3s_slim_shapes.py'), CPU)
    assert model.decode_head.num_classes == 8


def test_the_time_is_the_median_and_the_memory_the_peak(monkeypatch):
    times = iter([0, 9, 0, 1, 0, 5, 0, 2])  # one round to warm up, then 1, 5 and 2 seconds
    monkeypatch.setattr(latency, 'perf_counter', lambda: next(times, 0))
    kept = []

    def step():
        kept[:] = [torch.empty(2**20)]  # 4 MiB, while those of the last call are still held
        kept.append(torch.empty(2**18))

    monkeypatch.setattr(latency, 'FEWEST_REPEATS', 100)
    costs = step_costs({'step': step}, CPU, repeats=3, warmup=1)['step']
    assert costs['repeats'] == 3
    assert costs['peak_mib'] == pytest.approx(5, abs=1)
