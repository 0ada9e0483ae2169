"""Test a checkpoint: mIoU, scores of each class, pixel accuracy."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('test'))
