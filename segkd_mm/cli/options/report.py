"""Write an HTML report of one training or of several side by side.

Examples:
  segkd report work_dirs/feature_kd_camvid
  segkd report work_dirs/feature_kd_camvid work_dirs/mnv3s_slim_camvid --out report.html

The report is one file, which needs no network: commands and versions, curves, mIoU and the IoU of
each class, what classes are taken for, speed where `segkd benchmark` has measured it, and the
images with truth and predictions. Scores are those of `segkd test`, and the images are there if it
was called with --pictures. The teacher of a distillation is shown if it has been tested.
"""

from argparse import ArgumentParser

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', help='of segkd train')
    parser.add_argument(
        '--images',
        type=arguments.positive,
        default=200,
        metavar='N',
        help='show at most N images, evenly from the worst to the best, shrunk until they take '
        'less than 64 MB (default: %(default)s)',
    )
    parser.add_argument(
        '--out',
        metavar='HTML',
        help='default: WORK_DIR/report.html, or of several work_dirs/report.html',
    )
