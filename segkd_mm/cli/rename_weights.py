"""Rename the keys of weights from another code base to those of a model here.

Example, for a DeepLabV3 with the keys features.*, pool.*, aspp0.*, proj.* and cls.*:
  tools/rename_weights.py configs/teacher/deeplabv3_mnv2_voc.py theirs.pth ours.pth \\
      features=backbone.body cls=decode_head.conv_seg \\
      pool.0=decode_head.aspp.branches.0.conv.conv pool.1=decode_head.aspp.branches.0.conv.bn ...

The file is written only if the config's model takes the renamed weights exactly; what does not fit
is listed. Of a distillation config the student is meant.
"""

import argparse
import os
from pathlib import Path

import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from segkd_mm.build_hints import build_hints
from segkd_mm.cli import arguments
from segkd_mm.config import load_config, plain_student
from segkd_mm.files import written_aside
from segkd_mm.weights import load_strictly, read_state_dict, rename_keys


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = arguments.parser(__doc__)
    arguments.add_config(parser)
    parser.add_argument('source', help='file, address, or torchvision://MODEL')
    parser.add_argument('out', type=Path, help='the file to write')
    parser.add_argument(
        'names', nargs='+', type=pair, metavar='OLD=NEW', help='dotted names of modules'
    )
    return parser.parse_args()


def pair(word: str) -> tuple[str, str]:
    """The two sides of OLD=NEW."""
    old, equals, new = word.partition('=')
    if not (old and equals and new):
        raise argparse.ArgumentTypeError(f'{word!r}, expected OLD=NEW')
    return old, new


@build_hints()
def main() -> None:
    """Run the command line."""
    args = parse_args()
    config = plain_student(load_config(args.config))
    init_default_scope(config.get('default_scope', 'mmseg'))
    model = MODELS.build(config.model)
    state = rename_keys(read_state_dict(args.source), dict(args.names), args.source)
    load_strictly(model, state, args.source)
    with written_aside(args.out) as aside:
        torch.save(model.state_dict(), aside)
    size = os.path.getsize(args.out) / 2**20
    print(
        f'{len(state)} tensors in {args.out} ({size:.1f} MiB), which fit {args.config}.\n'
        f'Test it:   python tools/test.py {args.config} {args.out}'
    )
