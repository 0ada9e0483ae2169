"""Check an experiment before a run: faults, warnings and what to change.

Examples:
  segkd doctor configs/kd/feature_kd_voc.py --cfg-options data_root=/data/VOC2012
  segkd doctor configs/kd/cwd_camvid.py --student work_dirs/mnv3s_slim_camvid/best.pth
  segkd doctor my_experiment.py --all

Checks that the data are there, labels are in range and how the classes are balanced; the teacher's
mIoU beside the student's; whether images without labels make the labels' loss smaller; what the
terms compare, and how hard each pulls beside the labels; and what the run will cost in time and
memory. It writes nothing but its result file. The exit status is
1 if there is an error: something that makes the run fail or teach nothing.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    arguments.add_config(parser)
    parser.add_argument(
        '--student', metavar='CKPT', help='look at this student (default: as training starts)'
    )
    parser.add_argument(
        '--images',
        type=arguments.positive,
        default=20,
        help='validation images for the mIoU (default: 20)',
    )
    parser.add_argument(
        '--masks',
        type=arguments.positive,
        default=200,
        help='samples of each split to look at (default: 200)',
    )
    parser.add_argument(
        '--all', action='store_true', help='look at all samples, and list each faulty file'
    )
    arguments.add_device(parser)
    parser.add_argument(
        '--out', metavar='JSON', help='result file (default: work_dirs/CONFIG_NAME/doctor.json)'
    )
    arguments.add_cfg_options(parser)
    parser.set_defaults(finish=finish)


def finish(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse what does not go together; fill in what depends on other arguments."""
    args.out = args.out or f'work_dirs/{Path(args.config).stem}/doctor.json'
