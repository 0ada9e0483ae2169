"""Draw augmented samples of a data set with their masks: see segkd_mm/cli/browse.py."""

from segkd_mm.cli.browse import main

if __name__ == '__main__':
    main()
