"""Resize Cityscapes to 1024 x 512 once, so that trainings do not read full-size images."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('halve-cityscapes'))
