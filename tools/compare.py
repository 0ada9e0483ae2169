"""Compare configs fairly: the same seeds for all, each trained and tested once, the noise shown."""

import sys

from segkd_mm.cli.compare import main

if __name__ == '__main__':
    sys.exit(main())
