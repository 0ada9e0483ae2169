"""Build a teacher cache: run the teacher once on each whole training image, store its logits."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('cache'))
