"""Resize Cityscapes to 1024 x 512 once, so that trainings do not read full-size images."""

from segkd_mm.cli.halve_cityscapes import main

if __name__ == '__main__':
    main()
