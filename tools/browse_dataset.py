"""Draw samples of a data set as the pipeline of a config makes them, augmented and with masks."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('browse'))
