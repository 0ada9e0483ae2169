"""Export a trained student to a file of a runtime, and compare that with PyTorch.

Examples:
  segkd export configs/student/mnv3s_slim_voc.py work_dirs/feature_kd_voc/best.pth --to onnx
  segkd export configs/kd/feature_kd_voc.py work_dirs/feature_kd_voc/best.pth --to openvino \\
      --precision bf16
  segkd export configs/student/mnv3s_slim_voc.py work_dirs/feature_kd_voc/best.pth \\
      --to openvino --precision int8 --image-in --labels-out

The file takes any batch and any size of the images, and with --size one image of one size. By
default it takes normalised images and gives logits at the model's own stride, of which
segkd_mm.deploy.upsampled_label_map makes labels fastest.
Of a distillation config the student is exported. int8 is calibrated on training images.

What was exported is run on images of the validation split and must lie within these bounds of
PyTorch, or nothing is written:
{bounds}
A file of coreml does not run here and is not compared.
int8 outside its bound is broken: the layers to keep in float are named.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from segkd_mm.cli import arguments
from segkd_mm.formats import (
    ANY_SIZE,
    BOUNDS,
    FLOATS_ONLY,
    INT8_WITHOUT_MASKS,
    NOT_RUN,
    ONE_SIZE,
    PRECISIONS,
    SUFFIXES,
)


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    bounds = [f'  {precision}: {bounds}' for precision, bounds in BOUNDS.items()]
    bounds[-1] += f'; without truth {INT8_WITHOUT_MASKS}'
    parser.description = parser.description.replace('{bounds}', '\n'.join(bounds))
    arguments.add_config(parser)
    arguments.add_checkpoint(parser)
    parser.add_argument('--to', choices=SUFFIXES, required=True)
    parser.add_argument(
        '--precision', choices=BOUNDS, default='fp32', help='default: %(default)s; '
        + '; '.join(f'{to}: {", ".join(names)}' for to, names in PRECISIONS.items()),
    )  # fmt: skip
    parser.add_argument(
        '--out', type=Path, metavar='FILE',
        help=f'ends in {", ".join(SUFFIXES.values())} (default: CHECKPOINT_PRECISION beside the '
        'checkpoint, or in work_dirs/CONFIG)',
    )  # fmt: skip
    parser.add_argument(
        '--image-in', action='store_true',
        help='normalise in the graph: it takes images [N, C, H, W] as the config loads them, '
        'such as uint8, BGR as OpenCV and mmcv read it',
    )  # fmt: skip
    parser.add_argument(
        '--size', nargs=2, type=arguments.positive, metavar=('H', 'W'),
        help='for one image of this size, as compilers for accelerators often require; others are '
        f'resized to it (--to {" or ".join(ONE_SIZE)} needs it)',
    )  # fmt: skip
    parser.add_argument(
        '--labels-out', action='store_true',
        help='upsample and choose the class in the graph: it gives uint8 [N, H, W]',
    )  # fmt: skip
    parser.add_argument(
        '--images', nargs='+', metavar='PATH',
        help='compare on these images or folders of images, without truth',
    )  # fmt: skip
    parser.add_argument(
        '--num-images', type=arguments.positive, metavar='N',
        help='compare on so many of the validation split (default: 16; int8: 100)',
    )  # fmt: skip
    int8 = parser.add_argument_group('int8')
    int8.add_argument(
        '--calibration', nargs='+', metavar='PATH', default=[],
        help='images or folders of images (default: a choice of the training images)',
    )  # fmt: skip
    int8.add_argument(
        '--num-calibration',
        type=arguments.positive,
        default=100,
        metavar='N',
        help='default: %(default)s',
    )
    int8.add_argument(
        '--keep-float', nargs='+', action='extend', metavar='LAYER', default=[],
        help='modules or layers that stay in float, such as backbone.body.0',
    )  # fmt: skip
    int8.add_argument(
        '--max-drop', type=arguments.amount, default=BOUNDS['int8'].drop, metavar='POINTS',
        help='of mIoU, in percent (default: %(default)s)',
    )  # fmt: skip
    arguments.add_cfg_options(parser)
    parser.set_defaults(finish=finish)


def finish(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse what does not go together; fill in what depends on other arguments."""
    if args.precision not in PRECISIONS[args.to]:
        others = [to for to, precisions in PRECISIONS.items() if args.precision in precisions]
        error(
            f'--to {args.to} has no --precision {args.precision}; that goes with --to '
            f'{" or ".join(others)}, and --to {args.to} with {" or ".join(PRECISIONS[args.to])}'
        )
    if args.to in ONE_SIZE and not args.size:
        error(f'--to {" or ".join(ONE_SIZE)} takes --size H W')
    if args.to in ANY_SIZE and args.size:
        error(f'--to {args.to} takes images of any size, without --size')
    if args.to in FLOATS_ONLY and (args.image_in or args.labels_out):
        error(
            f'--to {args.to} goes from normalised images to logits, without --image-in and '
            '--labels-out: normalise images by the mean and std in its metadata (docs/export.md)'
        )
    if args.to in NOT_RUN and (args.images or args.num_images):
        error(
            f'--to {args.to} does not run here, so that no images are compared: leave out --images '
            'and --num-images'
        )
    if args.precision != 'int8' and (args.calibration or args.keep_float):
        error('--calibration and --keep-float are of --precision int8')
    if args.out and not args.out.name.endswith(SUFFIXES[args.to]):
        error(f'--out {args.out}: expected a name that ends in {SUFFIXES[args.to]}')
    args.out = args.out or default_file(args)


def default_file(args: Namespace) -> Path:
    """The default path of the exported model."""
    checkpoint, config = Path(args.checkpoint), Path(args.config).stem
    beside = checkpoint.is_file()
    folder, stem = (
        (checkpoint.parent, checkpoint.stem) if beside else (Path('work_dirs', config), config)
    )
    return folder / f'{stem}_{args.precision}{SUFFIXES[args.to]}'
