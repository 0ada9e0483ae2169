"""Write the config of a new experiment from a folder of images and one of masks.

Examples:
  segkd new --images data/images --masks data/masks --out roads.py \\
      --classes background road car
  segkd new --images data/images --masks data/masks --out roads.py \\
      --classes road=128,64,128 car=0,0,142 void=0,0,0 --teacher torchvision://fcn_resnet50 \\
      --map road= car=car,bus --unlabelled data/more_images

Looks at the data, chooses crop, batch, schedule and class weights by the rules in
docs/your_data.md, matches a teacher's classes with yours by name, and writes one config to read and
edit. Without --classes, the names are those in classes.json beside the masks.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

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
    parser.add_argument('--unlabelled', metavar='DIR', help='more images, without masks')
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
    parser.add_argument(
        '--student', default=DEFAULT_STUDENT, help='base in configs/_base_/students (default: '
        '%(default)s)'
    )  # fmt: skip
    parser.add_argument('--epochs', type=int, metavar='N', help='length (default: by the data)')
    parser.set_defaults(finish=finish)


def finish(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse what does not go together; fill in what depends on other arguments."""
    if args.out.suffix != '.py' or args.out.exists():
        error(f'--out {args.out}: expected a new file that ends in .py')
    if len(args.teacher) > 2:
        error(f'--teacher takes WHAT and a checkpoint, not {" ".join(args.teacher)}')
    if args.unlabelled and not args.teacher:
        error('--unlabelled needs a --teacher: without one, only labels can teach')
