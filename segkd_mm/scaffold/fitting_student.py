"""The most accurate student whose latency fits, by measuring all of them here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mmengine.config import Config
from rich.progress import track
from torch import Tensor, nn

from segkd_mm.config import config_dir
from segkd_mm.deploy import FastLabelMap, load_runtime
from segkd_mm.deploy.export import SAVERS, export_libraries, to_format
from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.images import benchmark_batch
from segkd_mm.formats import ONE_SIZE, SUFFIXES, TORCH
from segkd_mm.measure.candidate import build_deployed
from segkd_mm.measure.latency import measure_latency
from segkd_mm.measure.model_cost import count_parameters
from segkd_mm.scaffold.accuracy import ALIKE, REFERENCE, Accuracy, read_accuracies
from segkd_mm.scaffold.students import list_students, read_student

NOT_MEASURED = 'not measured'
# Above so many times the limit in its first calls, a student is not measured on.
FAR = 2.0
SECONDS = 40.0  # of the rounds of all that are near the limit


@dataclass(frozen=True)
class Timed:
    """A student and its latency.

    Attributes:
        name: Of its base.
        parameters: Number of its parameters.
        ms: Latency from a uint8 image to its label map, the median.
        is_rough: Whether it is of two calls alone, as it is far above the limit.
    """

    name: str
    parameters: int
    ms: float
    is_rough: bool


def measure_students(
    limit_ms: float, size: tuple[int, int], num_classes: int, device: str, runtime: str
) -> list[Timed]:
    """Measure all students with random weights, on one image.

    Args:
        limit_ms: What is far above it is measured roughly.
        size: Height and width of the image.
        num_classes: Of the heads.
        device: That of the PyTorch models.
        runtime: One of :data:`segkd_mm.formats.RUNTIMES`.

    Raises:
        ImportError: The runtime is not installed.
    """
    if runtime != TORCH:
        export_libraries(runtime, 'fp32')
    image = benchmark_batch(None, size, 1).to(device)
    runs, parameters = {}, {}
    for name in track(list_students(), 'building the students', transient=True):
        model = build_deployed(student_model(name, num_classes), image.device)
        parameters[name] = count_parameters(model)
        runs[name] = _run(model, runtime, size)
    rough = measure_latency(runs, image, warmup=1, repeats=2)
    near = {name: run for name, run in runs.items() if rough[name].median_ms <= FAR * limit_ms}
    fine = measure_latency(near, image, warmup=1, repeats=20, seconds=SECONDS)
    return [
        Timed(name, parameters[name], (fine.get(name) or rough[name]).median_ms, name not in fine)
        for name in runs
    ]


def student_model(name: str, num_classes: int) -> dict:
    """The model of a student, by the name of its base, with random weights."""
    common = Config.fromfile(Path(config_dir(), '_base_', 'datasets', 'common.py'))
    student = read_student(name).student
    student.data_preprocessor = common.preprocessor
    student.backbone.weights = None
    student.decode_head.num_classes = num_classes
    return student


def _run(model: nn.Module, runtime: str, size: Sequence[int]) -> Callable[[Tensor], Tensor]:
    if runtime == TORCH:
        return FastLabelMap.from_model(model)
    graph = DeployedGraph(model, size=size if runtime in ONE_SIZE else None).eval()
    metadata = {**graph.describe(), 'precision': 'fp32'}
    with TemporaryDirectory() as folder:
        file = Path(folder, f'student{SUFFIXES[runtime]}')
        SAVERS[runtime](to_format(graph, runtime), file, metadata)
        return FastLabelMap.from_runtime(load_runtime(file))


def choose_student(timed: Sequence[Timed], limit_ms: float) -> Timed | None:
    """The most accurate student that fits; the fastest of those that are alike; None if none fits.

    One that has no result of its own is taken only where no other fits, and then the fastest.
    """
    accuracies = read_accuracies()
    fitting = [one for one in timed if one.ms <= limit_ms]
    measured = [one for one in fitting if one.name in accuracies]
    if measured:
        best = max(accuracies[one.name].order for one in measured)
        fitting = [one for one in measured if _is_alike(accuracies[one.name].order, best)]
    return min(fitting, key=lambda one: one.ms, default=None)


def _is_alike(order: tuple[bool, float], best: tuple[bool, float]) -> bool:
    return order[0] == best[0] and best[1] - order[1] <= ALIKE


def student_rows(timed: Sequence[Timed], limit_ms: float, chosen: Timed | None) -> list[dict]:
    """Rows of the table, the most accurate first."""
    accuracies = read_accuracies()
    worst = (False, 0.0)
    ordered = sorted(
        timed,
        key=lambda one: (accuracies[one.name].order if one.name in accuracies else worst, -one.ms),
        reverse=True,
    )
    return [
        {
            'student': one.name,
            'parameters': one.parameters,
            'ms': f'{"about " if one.is_rough else ""}{one.ms:.1f}',
            **_accuracy_cells(accuracies.get(one.name)),
            'fits': 'yes' if one.ms <= limit_ms else 'no',
            'chosen': '<-' if one is chosen else '',
        }
        for one in ordered
    ]


def _accuracy_cells(accuracy: Accuracy | None) -> Mapping[str, str]:
    if accuracy is None:
        return {'test mIoU': NOT_MEASURED, f'over {REFERENCE}': '', 'in results/': ''}
    gain = 'not compared' if accuracy.gain is None else f'{accuracy.gain:+.2f}'
    miou = f'{accuracy.miou:.2f}'
    return {'test mIoU': miou, f'over {REFERENCE}': gain, 'in results/': accuracy.result}
