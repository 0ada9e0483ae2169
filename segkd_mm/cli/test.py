"""Test a checkpoint: mIoU, scores of each class, pixel accuracy."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.model import BaseTTAModel
from mmengine.runner import Runner
from mmseg.models.segmentors.base import BaseSegmentor
from rich import print as show
from rich.progress import track
from torch import nn

from segkd_mm.cli.console import QuietRunner
from segkd_mm.config import load_config, plain_student
from segkd_mm.deploy import Runtime, in_windows, is_exported_model, without_logits
from segkd_mm.deploy.loading import check_classes, deployable
from segkd_mm.deploy.windows import default_overlap
from segkd_mm.evaluation.metric import ClassIoUMetric
from segkd_mm.evaluation.test_time_augmentation import check_averaged, with_augmentation
from segkd_mm.hooks import TestBarHook, check_outputs
from segkd_mm.hooks.unwrap import unwrapped_model
from segkd_mm.labels import VOID
from segkd_mm.measure.model_cost import count_parameters
from segkd_mm.results.files import checkpoint_digest, read_results, write_result
from segkd_mm.results.tables import console_table
from segkd_mm.visualize.class_charts import class_chart, confusion_chart
from segkd_mm.weights import load_strictly, read_state_dict

# Of each class, beside the IoU; see segkd_mm.evaluation.class_scores.
EXTRA_SCORES = ('recall', 'precision', 'share')


def testing_config(args: Namespace) -> Config:
    """The plain student's config, to be tested on the chosen split."""
    config = plain_student(load_config(args.config, args.cfg_options))
    if is_exported_model(args.checkpoint):
        config.model = dict(type='RuntimeSegmentor', file=args.checkpoint)
    config.launcher = args.launcher
    config.work_dir = str(home(args) / 'log')
    config.load_from, config.resume = None, False
    if args.split == 'val':
        config.test_dataloader = config.val_dataloader
    evaluator = config.test_evaluator if args.split == 'test' else config.val_evaluator
    config.test_evaluator = evaluator_of(evaluator)
    if args.pictures:
        pictures = dict(
            type='PredictionPicturesHook', folder=args.pictures, count=args.num_pictures
        )
        config.custom_hooks = [*config.get('custom_hooks', []), pictures]
    return with_augmentation(config) if args.tta else config


def evaluator_of(evaluator: dict | list[dict]) -> dict:
    """``ClassIoUMetric`` with the scores and the void of the ``IoUMetric`` of a config."""
    metrics = [evaluator] if isinstance(evaluator, dict) else evaluator
    scores = [score for metric in metrics for score in metric.get('iou_metrics', [])]
    void = [metric['ignore_index'] for metric in metrics if 'ignore_index' in metric]
    return dict(type='ClassIoUMetric', iou_metrics=scores, ignore_index=void[0] if void else VOID)


def home(args: Namespace) -> Path:
    """The folder of the checkpoint; for one from the net, that of the config's runs."""
    checkpoint = Path(args.checkpoint)
    return checkpoint.parent if checkpoint.is_file() else Path('work_dirs', Path(args.config).stem)


def result_file(args: Namespace) -> Path:
    """Where the result goes."""
    of = f'{Path(args.checkpoint).name}.' if is_exported_model(args.checkpoint) else ''
    how = '_tta' if args.tta else '_window' if args.window else ''
    return Path(args.out or home(args) / f'{of}test_{args.split}{how}.json')


def segmentor_of(runner: Runner) -> nn.Module:
    """The model that is tested, without what is around it."""
    model = unwrapped_model(runner)
    return model.module if isinstance(model, BaseTTAModel) else model


def run(args: Namespace) -> None:
    """Run the command."""
    config = testing_config(args)
    exported = is_exported_model(args.checkpoint)
    state = None if exported else read_state_dict(args.checkpoint)
    runner = QuietRunner.from_cfg(config)
    model = segmentor_of(runner)
    if exported:
        check_classes(model.runtime, runner.test_dataloader.dataset.metainfo['classes'])
    else:
        load_strictly(model, state, args.checkpoint, ignore=('terms.',))
        check_outputs(model, runner.test_dataloader.dataset.metainfo.get('classes'))
    if args.tta:
        check_averaged(model)
    labels_alone = nullcontext() if args.tta else without_logits(model)
    with labels_alone, windows(args, model), bar(runner, args):
        metrics = runner.test()
    if is_main_process():
        about = about_runtime(model.runtime) if exported else about_checkpoint(args, model)
        report(args, runner, metrics, about)


@contextmanager
def bar(runner: Runner, args: Namespace) -> Iterator[None]:
    """A progress bar over the images; windows have one of their own."""
    hook = TestBarHook()
    if not args.window:
        runner.register_hook(hook)
    try:
        yield
    finally:
        hook.stop()


def windows(args: Namespace, model: BaseSegmentor) -> AbstractContextManager:
    """Windows with a progress bar for each image, where they are asked for."""
    if not args.window:
        return nullcontext()
    bar = partial(track, description='windows', transient=True, disable=not sys.stdout.isatty())
    return in_windows(model, args.window, args.overlap, bar)


def about_windows(args: Namespace) -> dict:
    """Facts about the windows for the result file."""
    overlap = default_overlap(args.window) if args.overlap is None else args.overlap
    return {'window': args.window, 'overlap': overlap}


def about_checkpoint(args: Namespace, model: nn.Module) -> dict:
    """Facts about the checkpoint for the result file."""
    record = training_record(args.checkpoint)
    return {'parameters': count_parameters(deployable(model)), 'training': record}


def about_runtime(runtime: Runtime) -> dict:
    """Facts about an exported file for the result file."""
    return {
        'parameters': runtime.metadata['parameters'],
        'training': training_record(runtime.metadata['checkpoint']),
        'artefact': {'engine': runtime.engine, **runtime.metadata},
    }


def training_record(checkpoint: str) -> dict | None:
    """How the checkpoint was made, where tools/train.py left a record beside it."""
    record = Path(checkpoint).parent / 'train.json'
    return read_results([record])[0] if record.is_file() else None


def by_class(scores: list[dict], key: str) -> dict[str, float]:
    """One of the scores, by class."""
    return {row['class']: row[key] for row in scores}


def write_charts(folder: Path, metric: ClassIoUMetric) -> None:
    """Draw the scores of each class and the confusion matrix."""
    class_chart(folder / 'classes.png', metric.scores)
    confusion_chart(folder / 'confusion.png', metric.confusion, list(metric.per_class))


def report(args: Namespace, runner: Runner, metrics: dict[str, float], about: dict) -> None:
    """Print the table, write the result file and the charts; print where they are."""
    metric = runner.test_evaluator.metrics[0]
    payload = {
        'config': args.config,
        'checkpoint': args.checkpoint,
        'checkpoint_sha256': checkpoint_digest(args.checkpoint),
        'dataset': type(runner.test_dataloader.dataset).__name__,
        'split': args.split,
        'images': len(runner.test_dataloader.dataset),
        **({'tta': True} if args.tta else {}),
        **(about_windows(args) if args.window else {}),
        **({'pictures': args.pictures} if args.pictures else {}),
        'metrics': metrics,
        'per_class': metric.per_class,
        **{f'per_class_{key}': by_class(metric.scores, key) for key in EXTRA_SCORES},
        **about,
    }
    write_result(result_file(args), payload)
    how = ' with test-time augmentation' if args.tta else ''
    show(console_table(metric.scores, title=f'{args.config} on {args.split}{how}, percent'))
    print(' '.join(f'{key} {value:.2f}' for key, value in metrics.items() if 'time' not in key))
    print(f'Result: {result_file(args)}')
    if args.pictures:
        write_charts(Path(args.pictures, 'analysis'), metric)
        print(f'Pictures: {args.pictures}, with charts of the classes in {args.pictures}/analysis')
