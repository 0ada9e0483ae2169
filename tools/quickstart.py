"""Train a first student with few labels and a teacher, in minutes, without a download."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('quickstart'))
