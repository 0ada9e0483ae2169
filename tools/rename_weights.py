"""Rename the keys of weights from another code base to those of a model here."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('rename-weights'))
