"""Serve an exported student over HTTP: images in, label maps out.

Examples:
  segkd serve work_dirs/feature_kd_voc/best_int8.xml
  segkd serve work_dirs/feature_kd_voc/best_fp32.onnx --host 0.0.0.0 --port 8080
  curl --data-binary @street.jpg http://127.0.0.1:8000/predict -o labels.png

POST /predict  takes an image file, as the body or as the file of a form, and gives its label map:
               a PNG of class ids with a palette, as segkd predict --masks writes it. With
               ?overlay=true it gives the image with the label map over it.
GET /model     gives the classes, the runtime, and what an image may be.
GET /health    answers while the service runs.
GET /metrics   gives counts and times for Prometheus.

Images are computed one by one, on one core: start a service for each core, on ports of their own. A
request that is refused gets JSON that says what was found, what was expected and what to do. The
service has neither TLS nor passwords: let a proxy in front of it have them. Ctrl-C or SIGTERM ends
it after the requests that it has. docs/serve.md has more.
"""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from segkd_mm.cli import arguments
from segkd_mm.serve.limits import Limits


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument('file', type=Path, metavar='FILE', help='a file of `segkd export`')
    parser.add_argument(
        '--host', default='127.0.0.1', metavar='ADDRESS',
        help='listen on this address; 0.0.0.0 for all of this machine (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--port', type=arguments.port, default=8000, metavar='N',
        help='listen on this port; 0 for any that is free (default: %(default)s)',
    )  # fmt: skip
    limits = parser.add_argument_group('limits')
    limits.add_argument(
        '--max-bytes', type=arguments.positive, default=Limits.max_bytes, metavar='N',
        help='bytes of an image file (default: %(default)s)',
    )  # fmt: skip
    limits.add_argument(
        '--max-pixels', type=arguments.positive, default=Limits.max_pixels, metavar='N',
        help='pixels of an image, height times width (default: %(default)s)',
    )  # fmt: skip
    limits.add_argument(
        '--seconds', type=arguments.positive, default=Limits.seconds, metavar='N',
        help='time limit of a request, from its first byte to its answer (default: %(default)g)',
    )  # fmt: skip
    limits.add_argument(
        '--queue', type=arguments.positive, default=Limits.places, metavar='N',
        help='requests in progress at a time; more are refused (default: %(default)s)',
    )  # fmt: skip
    parser.set_defaults(finish=finish)


def finish(args: Namespace, _: Callable[[str], None]) -> None:
    """Limit the pixels in OpenCV, too, which reads the variable as it is imported."""
    # It decodes no image that has more than its head says to other libraries.
    os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'] = str(args.max_pixels)
