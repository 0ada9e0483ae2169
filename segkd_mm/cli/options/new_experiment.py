"""Write the config of a new experiment from a folder of images and one of masks.

Examples:
  segkd new --images data/images --masks data/masks --out roads.py \\
      --classes background road car
  segkd new --images data/images --masks data/masks --out roads.py \\
      --classes road=128,64,128 car=0,0,142 void=0,0,0 --teacher torchvision://fcn_resnet50 \\
      --map road= car=car,bus --unlabelled data/more_images
  segkd new --images data/images --masks data/masks --out roads.py \\
      --classes background road car --latency-ms 20 --size 512 512 --device cpu --runtime openvino

Looks at the data, chooses crop, batch, schedule and class weights by the rules in
docs/your_data.md, matches a teacher's classes with yours by name, and writes one config to read and
edit. Without --classes, the names are those in classes.json beside the masks.

With --latency-ms, all students are measured at --size on --device, from an image to its label map,
in PyTorch or another --runtime, and the most accurate one that fits is taken.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from segkd_mm.cli import arguments
from segkd_mm.formats import RUNTIMES, TORCH

DEFAULT_STUDENT = 'mnv3s_slim'


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument('--images', required=True, metavar='DIR', help='images, at any depth')
    parser.add_argument(
        '--masks', required=True, metavar='DIR', help='their masks, at the same paths inside it'
    )
    parser.add_argument('--out', required=True, type=Path, metavar='FILE.py', help='new config')
    parser.add_argument(
        '--classes',
        nargs='+',
        default=[],
        metavar='NAME[=VALUE]',
        help='class names in the order of the ids in the masks; or each with its id or its colour '
        '(red,green,blue); void=VALUE counts nowhere',
    )
    parser.add_argument(
        '--unlabelled',
        metavar='DIR',
        help='more images, without masks; the folder of --images where some of these have none',
    )
    parser.add_argument(
        '--teacher',
        nargs='+',
        default=[],
        metavar='WHAT',
        help='torchvision://MODEL, hf://OWNER/NAME, or a config file (of mmseg or an experiment); '
        'then its checkpoint, if that is elsewhere',
    )
    parser.add_argument(
        '--map',
        nargs='+',
        default=[],
        metavar='CLASS=TEACHER_CLASS',
        help="where names differ: the teacher's class or classes (with commas) that are one of "
        'yours; nothing after = where it knows none',
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        '--student', default=DEFAULT_STUDENT, help='base in configs/_base_/students (default: '
        '%(default)s)'
    )  # fmt: skip
    which.add_argument(
        '--latency-ms',
        type=float,
        metavar='MS',
        help='or the most accurate student that is so fast',
    )
    parser.add_argument(
        '--size', nargs=2, type=arguments.positive, metavar=('H', 'W'),
        help='with --latency-ms: of the image that is measured (default: 512 512)',
    )  # fmt: skip
    parser.add_argument(
        '--runtime', choices=RUNTIMES, help='with --latency-ms: a format of segkd export, or '
        f'torch (default: {TORCH})',
    )  # fmt: skip
    arguments.add_device(parser, None)
    parser.add_argument(
        '--train-device', metavar='DEVICE', help='where it trains, if that is not --device'
    )
    parser.add_argument(
        '--epochs', type=arguments.positive, metavar='N', help='length (default: by the data)'
    )
    parser.set_defaults(finish=finish)


def is_same_folder(one: str, other: str) -> bool:
    """Whether two paths are the same folder."""
    return Path(one).resolve() == Path(other).resolve()


def finish(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse what does not go together; fill in what depends on other arguments."""
    if args.out.suffix != '.py' or args.out.exists():
        error(f'--out {args.out}: expected a new file that ends in .py')
    if len(args.teacher) > 2:
        error(f'--teacher takes WHAT and a checkpoint, not {" ".join(args.teacher)}')
    if args.unlabelled and not args.teacher and not is_same_folder(args.unlabelled, args.images):
        error(
            '--unlabelled needs a --teacher: without one, only labels can teach. '
            f'--unlabelled {args.images} alone leaves out the images without a mask'
        )
    if not args.latency_ms and (args.size or args.runtime):
        error('--size and --runtime go with --latency-ms')
    if args.latency_ms is not None and args.latency_ms <= 0:
        error(f'--latency-ms {args.latency_ms:g}: expected more than 0')
    if args.runtime not in (None, TORCH) and args.device not in (None, 'cpu'):
        error(f'--runtime {args.runtime} is measured on the CPU: add --device cpu')
