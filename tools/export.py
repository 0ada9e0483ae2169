"""Export a trained student to a file of a runtime, and compare that with PyTorch."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('export'))
