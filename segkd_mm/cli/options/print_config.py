"""Print a config with its bases and options resolved: one file that is a config itself.

Examples:
  segkd print-config kd/cwd_camvid.py
  segkd print-config kd/cwd_camvid.py --cfg-options optim_wrapper.optimizer.lr=5e-4 > mine.py
"""

from argparse import ArgumentParser

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    arguments.add_config(parser)
    arguments.add_cfg_options(parser)
