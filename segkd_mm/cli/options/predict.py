"""Predict images: for each a picture with the image, its label map and an overlay; or videos.

Examples:
  segkd predict configs/student/mnv3s_slim_voc.py work_dirs/feature_kd_voc/best.pth cat.jpg
  segkd predict configs/kd/feature_kd_voc.py work_dirs/feature_kd_voc/best.pth images/ more/ \\
      --out predictions --masks
  segkd predict configs/teacher/fcn_r50_voc.py torchvision://fcn_resnet50 images/
  segkd predict configs/student/mnv3s_slim_voc.py work_dirs/feature_kd_voc/best.pth large.tif \\
      --window 1024 --masks
  segkd predict configs/student/mnv3s_slim_voc.py best_int8.xml street.mp4 camera:0

A video file, or a camera by its number, becomes an .mp4 with the classes as an overlay and their
names; a camera is recorded until Ctrl-C.
Of a distillation config the student predicts. A file of segkd export in place of the checkpoint
predicts by its own runtime. The config's data need not be at hand: its test pipeline prepares the
images, and its data set only names the classes. Where there is truth to compare with, use
segkd test --pictures. In Python: segkd_mm.load(CONFIG, CHECKPOINT).predict('cat.jpg').
"""

from argparse import ArgumentParser

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    arguments.add_config(parser)
    arguments.add_checkpoint(parser, '; or a file of `segkd export`')
    parser.add_argument(
        'paths', nargs='+', metavar='PATH', help='image, folder of images, video file, or camera:0'
    )
    parser.add_argument(
        '--out',
        default='work_dirs/predictions',
        metavar='DIR',
        help='the pictures and videos go here (default: %(default)s)',
    )
    parser.add_argument(
        '--masks',
        action='store_true',
        help='write to DIR/masks the label maps alone, as PNGs of class ids with a palette',
    )
    arguments.add_windows(parser)
    arguments.add_device(parser, None)
    arguments.add_cfg_options(parser)
    parser.set_defaults(finish=arguments.check_windows)
