"""Draw samples of a data set as the pipeline of a config makes them, augmented and with masks.

Examples:
  segkd browse configs/kd/feature_kd_voc.py --cfg-options data_root=/data/VOC2012
  segkd browse configs/student/mnv3s_slim_camvid.py --split val --count 50

Each picture shows the image, its mask and both together, with a legend of the classes in it; void
and images without labels have colours of their own. The samples are spread evenly over the data
set. Augmentation is random, so that each call gives other pictures of a training set.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    arguments.add_config(parser)
    parser.add_argument(
        '--split', choices=['train', 'val', 'test'], default='train', help='default: train'
    )
    parser.add_argument(
        '--count', type=arguments.positive, default=20, help='number of samples (default: 20)'
    )
    parser.add_argument(
        '--out', type=Path, metavar='DIR',
        help='folder of the pictures (default: work_dirs/CONFIG_NAME/samples_SPLIT)',
    )  # fmt: skip
    arguments.add_cfg_options(parser)
    parser.set_defaults(finish=finish)


def finish(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse what does not go together; fill in what depends on other arguments."""
    args.out = args.out or Path('work_dirs', Path(args.config).stem, f'samples_{args.split}')
