"""Test a checkpoint: mIoU, scores of each class, pixel accuracy.

Examples:
  segkd test configs/student/mnv3s_slim_voc.py work_dirs/feature_kd_voc/best.pth
  segkd test configs/kd/feature_kd_voc.py work_dirs/feature_kd_voc/best.pth --pictures pictures
  segkd test configs/teacher/fcn_r50_voc.py torchvision://fcn_resnet50
  segkd test configs/student/mnv3s_slim_voc.py work_dirs/feature_kd_voc/best_int8.xml
  segkd test configs/student/mnv3s_slim_voc.py work_dirs/feature_kd_voc/best.pth --tta

Students, distilled students and teachers alike; of a distillation config the student is tested,
and its teacher need not be at hand. The checkpoint must fit exactly, adapters of terms aside. In
its place a file from segkd export is tested itself, by its own runtime.
Images without truth: segkd predict.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from segkd_mm.cli import arguments
from segkd_mm.formats import is_exported_model


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    arguments.add_config(parser)
    arguments.add_checkpoint(parser, '; or a file of `segkd export`')
    parser.add_argument('--split', choices=['test', 'val'], default='test', help='default: test')
    parser.add_argument(
        '--tta',
        action='store_true',
        help='average the predictions of each image at 0.75, 1 and 1.25 of its size and flipped '
        '(or by tta_pipeline and tta_model of the config)',
    )
    arguments.add_windows(parser)
    parser.add_argument(
        '--pictures',
        metavar='DIR',
        help='write each image, truth and prediction, which segkd report shows; to DIR/analysis, '
        'charts of the classes and of what they are taken for',
    )
    parser.add_argument(
        '--num-pictures',
        type=arguments.positive,
        metavar='N',
        help='with --pictures: of N images, evenly spaced over the split (default: of all)',
    )
    parser.add_argument(
        '--out',
        metavar='JSON',
        help='result file (default: test_SPLIT.json beside the checkpoint, or in work_dirs/CONFIG; '
        'with --tta or --window, test_SPLIT_tta.json or test_SPLIT_window.json; of an exported '
        'file, FILE.test_SPLIT.json)',
    )
    arguments.add_launcher(parser)
    arguments.add_cfg_options(parser)
    parser.set_defaults(finish=finish)


def finish(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse what does not go together; fill in what depends on other arguments."""
    if args.num_pictures and not args.pictures:
        error('--num-pictures needs --pictures DIR, where the pictures go')
    arguments.check_windows(args, error)
    if args.tta and args.window:
        error('--tta resizes images, and --window needs them as they are; leave one out')
    if is_exported_model(args.checkpoint):
        _check_runtime_options(args, error)


def _check_runtime_options(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse options that an exported file cannot have."""
    if args.launcher != 'none':
        error(f'{args.checkpoint} runs in one process; leave --launcher out')
    if args.tta:
        error(
            f'--tta averages logits at several image sizes; {args.checkpoint} may give labels '
            'alone. Test the checkpoint that it was exported from'
        )
