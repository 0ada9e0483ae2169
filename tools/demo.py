"""Show an exported student in the browser, on images or the camera."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('demo'))
