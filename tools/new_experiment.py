"""Write the config of a new experiment from a folder of images and one of masks."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('new'))
