"""Test a checkpoint: mIoU, scores of each class, pixel accuracy."""

from segkd_mm.cli.test import main

if __name__ == '__main__':
    main()
