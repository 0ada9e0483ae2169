"""Show an exported student in the browser, on images or the camera.

Examples:
  segkd demo work_dirs/feature_kd_voc/best_fp32.onnx
  segkd demo work_dirs/feature_kd_voc/best_int8.onnx --images images/ --port 8080
  segkd demo work_dirs/feature_kd_voc/best_fp32.onnx --out demo

The page computes in the browser, on the CPU; no image leaves it. Label maps are those of
segkd_mm.load(FILE).predict(IMAGE). It is served on this machine until Ctrl-C. With --out the folder
is written in place of that, for any web server; the camera needs https or localhost there.

ONNX Runtime Web is downloaded from registry.npmjs.org the first time.
"""

from argparse import ArgumentParser
from pathlib import Path

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument('file', type=Path, metavar='FILE', help='.onnx file of segkd export')
    parser.add_argument(
        '--images', nargs='+', default=[], metavar='PATH',
        help='images or folders of images that the page shows as examples; they are copied',
    )  # fmt: skip
    parser.add_argument(
        '--out', type=Path, metavar='DIR', help='write the folder of the page here; do not serve it'
    )
    parser.add_argument(
        '--port', type=arguments.port, default=8000, metavar='N',
        help='serve on this port; 0 for any that is free (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--runtime', type=Path, metavar='FILE.tgz',
        help='the archive of ONNX Runtime Web, where registry.npmjs.org cannot be reached',
    )  # fmt: skip
