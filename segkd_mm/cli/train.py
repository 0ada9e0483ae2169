"""Train a student, a teacher, or a student with its teacher."""

import gc
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from time import time

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from segkd_mm.cli.console import QuietRunner
from segkd_mm.cli.print_config import resolved
from segkd_mm.commands import command
from segkd_mm.config import inference_config, load_config, require
from segkd_mm.files import remove_left_aside, written_aside
from segkd_mm.hooks import StopHook, Stopped, TermStatisticsHook, TrainingLinesHook
from segkd_mm.measure.environment import environment
from segkd_mm.optim import amp_wrapper
from segkd_mm.results.files import write_result
from segkd_mm.results.lock import locked
from segkd_mm.results.store_copy import StoreCopy
from segkd_mm.results.store_copy_hook import StoreCopyHook
from segkd_mm.results.trackers import how_to_look, tracker_backend
from segkd_mm.results.work_dir import (
    check_is_folder,
    check_same_run,
    check_unused,
    earlier_files,
    record_config,
    set_aside,
)
from segkd_mm.schedule import set_epochs
from segkd_mm.visualize import SamplePredictionsHook
from segkd_mm.weights.checkpoints import check_resumable, newest_whole


def training_config(args: Namespace) -> Config:
    """The config with the command line's options applied."""
    config = load_config(args.config, args.cfg_options)
    require(config, 'model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
    config.launcher = args.launcher
    config.work_dir = args.work_dir or config.get('work_dir') or default_work_dir(args.config)
    check_is_folder(config.work_dir)
    if args.epochs:
        set_epochs(config, args.epochs)
    if args.seed is not None:
        config.randomness.seed = args.seed
    if args.amp:
        config.optim_wrapper.type = amp_wrapper(get_device())
    if args.tracker:
        config.visualizer.vis_backends.append(tracker_backend(args.tracker, config.work_dir))
    if args.resume:
        config.resume = True
        if args.resume != 'auto':
            config.load_from = args.resume
    return config


def default_work_dir(config: str) -> str:
    """Where the results of a config go: work_dirs/<its name>."""
    return f'work_dirs/{Path(config).stem}'


def run(args: Namespace) -> int:
    """Run the command; the exit code is that of a process that a signal ended, where one did."""
    config = training_config(args)
    with locked(config.work_dir, config.launcher):
        hooks = store_hooks(args.copy_to, config)
        try:
            train(config, args, hooks)
        except Stopped as stopped:
            print(stopped)
            return stopped.code
        finally:
            for hook in hooks:
                hook.update()
    return 0


def store_hooks(address: str | None, config: Config) -> list[StoreCopyHook]:
    """The hook that keeps a copy on a store, where one is asked for; fetches what is there."""
    if not address:
        return []
    copy = StoreCopy(config.work_dir, address)
    if not config.resume:
        copy.check_empty()
    elif fetched := copy.fetch():
        print(f'Fetched from {address} to {config.work_dir}, files: {fetched}')
    return [StoreCopyHook(copy)]


def train(config: Config, args: Namespace, hooks: Sequence[Hook] = ()) -> None:
    """Train, with more hooks, in a work directory that nobody else uses."""
    remove_left_aside(config.work_dir)
    earlier = [] if config.resume else earlier_files(config.work_dir)
    check_unused(config.to_dict(), earlier)
    if config.resume:
        choose_start(config, args)
    # What the imports left is no garbage: each data set of mmengine's would look through it again.
    gc.freeze()
    runner = QuietRunner.from_cfg(config)
    check_same_start(config)
    if is_main_process():
        begin_work_dir(config, earlier)
    record = {'config': args.config, 'seed': runner.seed, 'environment': environment()}
    check_length(runner.train_dataloader)
    start = time()
    if args.tracker:
        runner.register_hook(TermStatisticsHook())
        runner.register_hook(SamplePredictionsHook())
    run_training(runner, hooks)
    if is_main_process():
        report(runner, args.config, {**record, 'seconds': time() - start})
        if args.tracker:
            print(f'Tracker:   {how_to_look(args.tracker, runner.work_dir)}')


def choose_start(config: Config, args: Namespace) -> None:
    """Let a resumed training go on from the state that was asked for, if it is of this training."""
    given = config.load_from
    if args.resume == 'auto' or not given:
        given = Path(config.work_dir, 'last_checkpoint')  # the checkpoint may be in another folder
        choose_checkpoint(config)
    else:
        check_resumable(given)
    if config.resume and not args.allow_changes:
        check_same_run(config.to_dict(), given)


def choose_checkpoint(config: Config) -> None:
    """Let a config resume from the newest whole checkpoint; without one the training begins."""
    checkpoint, faults = newest_whole(config.work_dir)
    for fault in faults:
        print(f'warning: {fault}')
    if faults:
        print(f'Resumes from {checkpoint or "the beginning, as no checkpoint is whole"}.')
    config.resume = checkpoint is not None
    if checkpoint:
        config.load_from = str(checkpoint)


def begin_work_dir(config: Config, earlier: Sequence[Path]) -> None:
    """Move the files of an earlier training to a subfolder; write the configs of this one."""
    if earlier:
        print(set_aside(earlier))
    write_model_config(config)
    record_config(config.work_dir, config.to_dict())


def check_same_start(config: Config) -> None:
    """Check that all processes go on from one checkpoint.

    Raises:
        ValueError: They do not: some see another work directory than others.
    """
    own = Path(config.load_from).name if config.resume and config.load_from else 'no checkpoint'
    chosen = all_gather_object(own)
    if len(set(chosen)) > 1:
        each = ', '.join(f'process {rank} {name}' for rank, name in enumerate(chosen))
        raise ValueError(
            f'--resume: the processes would go on from different states: {each}. All machines must '
            f'see one work directory, on a shared file system; this is {config.work_dir}.'
        )


def check_length(loader: DataLoader) -> None:
    """Check that the training images fill a batch.

    Raises:
        ValueError: They do not.
    """
    if not len(loader):
        raise ValueError(
            f'train_dataloader has a batch_size of {loader.batch_size}, but its data set only '
            f'{len(loader.dataset)} samples, and incomplete batches are dropped (drop_last=True). '
            'Use more images or a smaller batch_size.'
        )


def run_training(runner: Runner, hooks: Sequence[Hook]) -> None:
    """Train with lines of progress and more hooks, until the end or a signal to stop."""
    lines, stop = TrainingLinesHook(), StopHook()
    for hook in (lines, stop, *hooks):
        runner.register_hook(hook)
    try:
        runner.train()
    finally:
        stop.end()
        lines.stop()


def write_model_config(config: Config) -> None:
    """Write WORK_DIR/model.py, with which mmseg loads the checkpoints."""
    text = resolved(inference_config(config), config.filename)
    with written_aside(Path(config.work_dir, 'model.py')) as aside:
        aside.write_text(text, encoding='utf-8')


def report(runner: Runner, config: str, record: dict) -> None:
    """Write WORK_DIR/train.json; print where the results are and what to run next."""
    work_dir = Path(runner.work_dir)
    score = runner.message_hub.runtime_info.get('best_score')
    checkpoint = (runner.cfg.get('default_hooks') or {}).get('checkpoint') or {}
    metric = checkpoint.get('save_best') or 'mIoU'
    write_result(work_dir / 'train.json', {**record, f'best_{metric}': score})
    curves = write_curves(work_dir)
    print(f'Done. {best_line(runner, metric)}\n{curves}')
    best = work_dir / 'best.pth'
    if best.exists():
        print(f'Test it:   {command("test")} {config} {best}')
    print(f'Time it:   {command("benchmark")} {config}')


def write_curves(work_dir: Path) -> str:
    """Draw WORK_DIR/curves.png; say where it is, or why there is none."""
    from segkd_mm.visualize.curves import draw_curves  # matplotlib is of no use before

    curves = work_dir / 'curves.png'
    try:
        draw_curves([work_dir], curves)
    except (FileNotFoundError, ValueError) as error:  # such as a config that keeps no local log
        return f'No curves: {error}'
    return f'Curves:    {curves}'


def best_line(runner: Runner, metric: str) -> str:
    """The best validation score and its checkpoint, or why none is the best."""
    info, checkpoints = runner.message_hub.runtime_info, f'Checkpoints are in {runner.work_dir}'
    if 'best_ckpt' in info:
        best = Path(info['best_ckpt']).name
        return f'{checkpoints}. Best validation {metric}: {info["best_score"]:.2f}, by {best}.'
    if runner.val_loop is None:
        return f'{checkpoints}; no validation, so none is the best.'
    return f'{checkpoints}; none is marked as the best (default_hooks.checkpoint.save_best).'
