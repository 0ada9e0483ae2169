"""Train and test several configs over several seeds, and tabulate the gains with their spread."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('compare'))
