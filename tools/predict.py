"""Predict images: for each a picture with the image, its label map and an overlay."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('predict'))
