"""Check of the cost of a run: parameters, time and memory."""

from datetime import timedelta
from time import perf_counter

import torch
from torch import nn

from segkd_mm.config import plain_student
from segkd_mm.doctor.experiment import Experiment, with_void
from segkd_mm.doctor.finding import Finding, Report
from segkd_mm.measure.step_cost import TrainingStep, build_model, step_costs

LOADED = 3  # batches to time


def check_cost(experiment: Experiment, repeats: int = 3) -> Report:
    """Measure trained and frozen parameters, time and memory of a step; estimate the run's time.

    It runs training steps, which change the weights of the experiment: run this check last.
    """
    report, config = Report('Cost'), experiment.config
    (batch,) = experiment.batches('train', 1)
    if not experiment.is_distilled:
        batch = with_void(batch)
    steps = {'this config': TrainingStep(experiment.model, config, batch)}
    if experiment.is_distilled:
        plain = plain_student(config)
        model = build_model(plain, experiment.device)
        steps['plain student'] = TrainingStep(model, plain, with_void(batch))
    costs = step_costs(steps, experiment.device, repeats, warmup=1)
    for name, step in steps.items():
        row = {'what': name, **_parameters(step.model)}
        row |= {'ms a step': costs[name]['ms'], 'peak MiB a step': costs[name]['peak_mib']}
        report.rows.append(row)
    if 'plain student' in costs:
        times = costs['this config']['ms'] / costs['plain student']['ms']
        report.findings.append(
            Finding('ok', f'A step takes {times:.2f} times as long as without distillation.')
        )
    report.findings.extend(_findings(experiment, costs['this config']['ms'] / 1000))
    return report


def _parameters(model: nn.Module) -> dict[str, int]:
    sizes = [(p.requires_grad, p.numel()) for p in model.parameters()]
    return {
        'trained': sum(size for trains, size in sizes if trains),
        'frozen': sum(size for trains, size in sizes if not trains),
    }


def _findings(experiment: Experiment, step: float) -> list[Finding]:
    workers = experiment.config.train_dataloader.num_workers
    loading, length = _loading_time(experiment)
    findings = []
    if loading / max(workers, 1) > step:
        findings.append(
            Finding(
                'warning',
                f'A batch takes {loading:.2f} s to load and a step {step:.2f} s: with {workers} '
                'workers the device will wait for data.',
                'Raise train_dataloader.num_workers, up to the number of cores.',
            )
        )
    iterations = _iterations(experiment, length)
    duration = timedelta(seconds=round(iterations * max(step, loading / max(workers, 1))))
    device = torch.cuda.get_device_name() if experiment.device.type == 'cuda' else 'this CPU'
    findings.append(
        Finding('ok', f'{iterations} iterations: about {duration} on {device} ({step:.2f} s each), '
                'without validation.')
    )  # fmt: skip
    return findings


def _loading_time(experiment: Experiment) -> tuple[float, int]:
    """Seconds per batch of one worker, and number of batches in an epoch."""
    loader = experiment.loader('train')
    batches, start = iter(loader), perf_counter()
    count = min(LOADED, len(loader))
    for _ in range(count):
        next(batches)
    return (perf_counter() - start) / max(count, 1), len(loader)


def _iterations(experiment: Experiment, epoch_length: int) -> int:
    loop = experiment.config.train_cfg
    return loop.max_iters if 'max_iters' in loop else loop.max_epochs * epoch_length
