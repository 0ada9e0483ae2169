"""Write an HTML report of one training or of several side by side."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('report'))
