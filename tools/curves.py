"""Draw training curves: losses, validation scores, learning rate and time."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('curves'))
