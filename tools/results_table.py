"""Write the tables of measured results in README.md and docs/ from the files in results/."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('results-table'))
