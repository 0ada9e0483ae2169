"""Draw training curves: losses, validation scores, learning rate and time."""

from segkd_mm.cli.curves import main

if __name__ == '__main__':
    main()
