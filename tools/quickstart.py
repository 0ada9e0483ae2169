"""Train and distil a first student in minutes, without a download."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('quickstart'))
