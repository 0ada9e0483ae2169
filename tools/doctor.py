"""Check an experiment before a run: faults, warnings and what to change."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('doctor'))
