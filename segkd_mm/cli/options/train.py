"""Train a student, a teacher, or a student with its teacher.

Examples:
  segkd train configs/student/mnv3s_slim_voc.py
  segkd train configs/kd/feature_kd_voc.py \\
      --cfg-options data_root=/data/VOC2012 model.teacher.checkpoint=fcn_r50.pth
  segkd train configs/kd/feature_kd_voc.py --epochs 2
  torchrun --nproc_per_node 4 -m segkd_mm train CONFIG --launcher pytorch

Progress with the time left goes to the console and to WORK_DIR/<time>/; checkpoints to WORK_DIR,
with best.pth pointing at the one of the best validation score, train.json to say how it was made,
and curves.png of losses, scores, learning rate and time. model.py is the config of the trained
model, without a teacher, for mmseg's init_model and inferencers. Without --resume, what an earlier
run left in WORK_DIR is moved to WORK_DIR/earlier_<time>. At SIGTERM or Ctrl-C the step is finished
and a checkpoint saved, from which --resume goes on; a second one ends at once.
"""

from argparse import ArgumentParser

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    arguments.add_config(parser)
    parser.add_argument('--work-dir', help='results go here (default: work_dirs/CONFIG_NAME)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='go on from CKPT, or without it from the newest whole checkpoint in the work '
        'directory',
    )
    parser.add_argument(
        '--allow-changes',
        action='store_true',
        help='with --resume: go on although model, data or schedule are not those of that run',
    )
    parser.add_argument(
        '--copy-to',
        metavar='ADDRESS',
        help='keep a copy of the work directory at s3://BUCKET/RUN, gs://... or a path, up to date '
        'with the checkpoints; with --resume, its files are fetched first where it is further '
        "than the work directory (pip install 'segkd_mm[stores]')",
    )
    arguments.add_epochs(parser)
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: fp16 on a GPU; on a CPU bf16 and channels_last, which pays where '
        '`lscpu` lists avx512_bf16 or amx_bf16',
    )
    parser.add_argument(
        '--tracker',
        choices=['tensorboard', 'wandb', 'mlflow'],
        help='also send losses, scores and the config to this tracker, which keeps them in '
        "WORK_DIR (pip install 'segkd_mm[trackers]'); wandb works offline unless WANDB_MODE is set",
    )
    parser.add_argument(
        '--seed', type=arguments.seed, help="of all randomness (default: the config's, 0)"
    )
    arguments.add_launcher(parser)
    arguments.add_cfg_options(parser, ', and so does download=True (VOC)')
