"""Compare models and runtimes: mIoU, latency, parameters, GMACs, memory."""

from segkd_mm.cli.benchmark import main

if __name__ == '__main__':
    main()
