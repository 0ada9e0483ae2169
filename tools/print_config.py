"""Print a config with its bases and options resolved: one file that is a config itself."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('print-config'))
