"""Compare models and runtimes: mIoU, latency, FPS, parameters, GMACs, peak memory, mIoU per second.

Examples:
  segkd benchmark configs/student/*_camvid.py --size 360 480
  segkd benchmark configs/student/mnv3s_slim_voc.py slim.onnx slim_int8.xml --peers --threads 1
  segkd benchmark configs/kd/response_kd_voc.py configs/teacher/fcn_r50_voc.py --device cuda

All are measured side by side in one run, turn by turn, so that a busy machine slows all alike.
Times are from a uint8 image to its labels, normalisation and upsampling included:
  ms         the fast way: normalised in place, labels from the logits at the model's own stride
  mmseg ms   mmseg's way: its preprocessor, all logits upsampled to the image, the best class taken
  x          how many times faster than mmseg's way of the first config
  logits ms  from the normalised image to the logits alone
  x floor    that beside the machine's floor, see segkd_mm/measure/floor.py

Of a config the weights hardly matter for speed, so none are loaded. What is measured is what is
deployed: of a distillation config the student, and no auxiliary heads, which only training uses.
Configs of the very same model share one measurement. An exported file of segkd export runs in
its own runtime, with --threads or else one thread: several thread pools in one process get in each
other's way. --peers adds models of torchvision, segmentation_models.pytorch and mmseg, with random
weights and as many classes as the first config.

mIoU is what segkd test measured on the test split, by the name of the config: the mean over
seeds, with the standard deviation, of the first DIR of --results that has any; of an exported file,
what FILE.test_test.json beside it says. It compares within one data set, and with a latency at the
image size that it was tested at (--size). The plot of mIoU over latency, with the Pareto front,
goes beside the result file, and so does one of the times.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from segkd_mm.cli import arguments
from segkd_mm.formats import is_exported_model


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        'models',
        nargs='+',
        metavar='MODEL',
        help='config files, names of `segkd configs`, or exported files (of '
        '`segkd export`); the first one is a config',
    )
    parser.add_argument('--peers', action='store_true', help='other light models beside them')
    parser.add_argument(
        '--size',
        nargs=2,
        type=arguments.positive,
        default=(512, 512),
        metavar=('H', 'W'),
        help='default: 512 512',
    )
    parser.add_argument(
        '--image', help='what to label (default: noise, of which fewer classes can be left out)'
    )
    parser.add_argument(
        '--batch', type=arguments.positive, default=1, help='images a call (default: 1)'
    )
    arguments.add_device(parser)
    parser.add_argument(
        '--threads', type=arguments.positive, help="CPU threads (default: torch's choice)"
    )
    parser.add_argument(
        '--repeats', type=arguments.positive, default=50, help='timed calls (default: 50)'
    )
    parser.add_argument(
        '--results',
        nargs='+',
        default=['results', 'work_dirs'],
        metavar='DIR',
        help='where results of segkd test lie, as DIR/DATASET/CONFIG/SEED.json or '
        'DIR/CONFIG/test_test.json (default: results work_dirs)',
    )
    parser.add_argument(
        '--out',
        default='work_dirs/benchmark.json',
        metavar='JSON',
        help='result file; the plots are written beside it, as .png and _ms.png '
        '(default: %(default)s)',
    )
    arguments.add_cfg_options(parser)
    parser.set_defaults(finish=finish)


def finish(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse what does not go together; fill in what depends on other arguments."""
    if Path(args.out).suffix != '.json':
        error(f'--out {args.out}: expected a name that ends in .json')
    if is_exported_model(args.models[0]):
        error(f'{args.models[0]}: expected a config first, with which others are compared')
