"""Share a trained model on the Hugging Face hub, with a model card.

Examples:
  segkd push configs/kd/feature_kd_voc.py work_dirs/feature_kd_voc/best.pth me/slim-voc
  segkd push CONFIG best.pth me/slim-voc --no-upload

Writes a folder with the weights (model.safetensors), the config as data (segkd_mm.json) and for
mmseg (model.py), and a model card with classes, scores and commands (README.md), checks that it
predicts as the checkpoint does, and uploads it. The scores are those of `segkd test`, whose result
lies beside the checkpoint. Log in before by `hf auth login`. Whoever has segkd_mm then loads it by
segkd_mm.load('hf://me/slim-voc'), which reads the folder as data: registered components
and weights.
"""

from argparse import ArgumentParser

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    arguments.add_config(parser)
    arguments.add_checkpoint(parser)
    parser.add_argument('name', metavar='OWNER/NAME', help='the repository on the hub')
    parser.add_argument(
        '--out', metavar='DIR', help='the folder (default: "hub" beside the checkpoint)'
    )
    parser.add_argument('--private', action='store_true', help='make a new repository private')
    parser.add_argument('--no-upload', action='store_true', help='write the folder alone')
    arguments.add_cfg_options(parser)
