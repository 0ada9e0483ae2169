"""Rename the keys of weights from another code base to those of a model here.

Example, for a DeepLabV3 with the keys features.*, pool.*, aspp0.*, proj.* and cls.*:
  segkd rename-weights configs/teacher/deeplabv3_mnv2_voc.py theirs.pth ours.pth \\
      features=backbone.body cls=decode_head.conv_seg \\
      pool.0=decode_head.aspp.branches.0.conv.conv pool.1=decode_head.aspp.branches.0.conv.bn ...

The file is written only if the config's model takes the renamed weights exactly; what does not fit
is listed. Of a distillation config the student is meant.
"""

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    arguments.add_config(parser)
    parser.add_argument('source', help='file, address, or torchvision://MODEL')
    parser.add_argument('out', type=Path, help='the file to write')
    parser.add_argument(
        'names', nargs='+', type=pair, metavar='OLD=NEW', help='dotted names of modules'
    )


def pair(word: str) -> tuple[str, str]:
    """The two sides of OLD=NEW."""
    old, equals, new = word.partition('=')
    if not (old and equals and new):
        raise ArgumentTypeError(f'{word!r}, expected OLD=NEW')
    return old, new
