"""Train a student, a teacher, or a student with its teacher."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('train'))
