"""Draw samples of a data set as the pipeline of a config makes them, augmented and with masks."""

from segkd_mm.cli.browse_dataset import main

if __name__ == '__main__':
    main()
