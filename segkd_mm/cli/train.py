"""Train a student, a teacher, or a student with its teacher.

Examples:
  tools/train.py configs/student/mnv3s_slim_voc.py
  tools/train.py configs/kd/feature_kd_voc.py \\
      --cfg-options data_root=/data/VOC2012 model.teacher.checkpoint=fcn_r50.pth
  tools/train.py configs/kd/feature_kd_voc.py --epochs 2
  torchrun --nproc_per_node 4 tools/train.py CONFIG --launcher pytorch

Progress with the time left goes to the console and to WORK_DIR/<time>/; checkpoints to WORK_DIR,
with best.pth pointing at the one of the best validation score, train.json to say how it was made,
and curves.png of losses, scores, learning rate and time. model.py is the config of the trained
model, without a teacher, for mmseg's init_model and inferencers. Without --resume, what an earlier
run left in WORK_DIR is moved to WORK_DIR/earlier_<time>.
"""

import argparse
from pathlib import Path
from time import time

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from segkd_mm.build_hints import build_hints
from segkd_mm.cli import arguments
from segkd_mm.cli.print_config import resolved
from segkd_mm.config import inference_config, load_config
from segkd_mm.files import written_aside
from segkd_mm.measure.environment import environment
from segkd_mm.optim import amp_wrapper
from segkd_mm.results.files import write_result
from segkd_mm.results.work_dir import (
    check_same_run,
    check_unused,
    earlier_files,
    record_config,
    set_aside,
)
from segkd_mm.schedule import set_epochs
from segkd_mm.visualize.curves import draw_curves


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = arguments.parser(__doc__)
    arguments.add_config(parser)
    parser.add_argument('--work-dir', help='results go here (default: work_dirs/CONFIG_NAME)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='go on from CKPT, or without it from the latest checkpoint in the work directory',
    )
    parser.add_argument(
        '--allow-changes',
        action='store_true',
        help='with --resume: go on although model, data or schedule are not those of that run',
    )
    arguments.add_epochs(parser)
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: fp16 on a GPU; on a CPU bf16 and channels_last, which pays where '
        '`lscpu` lists avx512_bf16 or amx_bf16',
    )
    parser.add_argument('--seed', type=int, help="of all randomness (default: the config's, 0)")
    arguments.add_launcher(parser)
    arguments.add_cfg_options(parser, ', and so does download=True (VOC)')
    return parser.parse_args()


def training_config(args: argparse.Namespace) -> Config:
    """The config with the command line's options applied."""
    config = load_config(args.config, args.cfg_options)
    config.launcher = args.launcher
    config.work_dir = args.work_dir or config.get('work_dir') or default_work_dir(args.config)
    if args.epochs:
        set_epochs(config, args.epochs)
    if args.seed is not None:
        config.randomness.seed = args.seed
    if args.amp:
        config.optim_wrapper.type = amp_wrapper(get_device())
    if args.resume:
        config.resume = True
        config.load_from = None if args.resume == 'auto' else args.resume
    return config


def default_work_dir(config: str) -> str:
    """Where the results of a config go: work_dirs/<its name>."""
    return f'work_dirs/{Path(config).stem}'


@build_hints()
def main() -> None:
    """Run the command line."""
    args = parse_args()
    config = training_config(args)
    earlier = [] if config.resume else earlier_files(config.work_dir)
    check_unused(config.to_dict(), earlier)
    if config.resume and not args.allow_changes:
        check_same_run(config.to_dict(), config.load_from)
    runner = Runner.from_cfg(config)
    if is_main_process():
        if earlier:
            print(set_aside(earlier))
        write_model_config(config)
        record_config(config.work_dir, config.to_dict())
    record = {'config': args.config, 'seed': runner.seed, 'environment': environment()}
    check_length(runner.train_dataloader)
    start = time()
    runner.train()
    if is_main_process():
        report(runner, args.config, {**record, 'seconds': time() - start})


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


def write_model_config(config: Config) -> None:
    """Write WORK_DIR/model.py, with which mmseg loads the checkpoints."""
    with written_aside(Path(config.work_dir, 'model.py')) as aside:
        aside.write_text(resolved(inference_config(config)), encoding='utf-8')


def report(runner: Runner, config: str, record: dict) -> None:
    """Write WORK_DIR/train.json; print where the results are and what to run next."""
    best = Path(runner.work_dir) / 'best.pth'
    curves = Path(runner.work_dir) / 'curves.png'
    score = runner.message_hub.get_info('best_score')
    metric = runner.cfg.default_hooks.checkpoint.get('save_best', 'mIoU')
    write_result(Path(runner.work_dir) / 'train.json', {**record, f'best_{metric}': score})
    try:
        draw_curves([runner.work_dir], curves)
    except (FileNotFoundError, ValueError) as error:  # such as a config that keeps no local log
        print(f'No curves: {error}')
    if score is None:
        print(f'Done. Checkpoints are in {runner.work_dir}; no validation, so none is the best.')
        return
    print(
        f'Done. Best validation {metric} {score:.2f}: {best} -> {best.readlink()}\n'
        f'Curves:    {curves}\n'
        f'Test it:   python tools/test.py {config} {best}\n'
        f'Time it:   python tools/benchmark.py {config}'
    )
