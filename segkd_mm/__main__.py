"""``python -m segkd_mm``: the same as the command ``segkd``."""

import sys

from segkd_mm.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
