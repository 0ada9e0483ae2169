"""Compare models and runtimes: mIoU, latency, parameters, GMACs, memory."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('benchmark'))
