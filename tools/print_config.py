"""Print a config with its bases and options resolved: one file that is a config itself."""

from segkd_mm.cli.print_config import main

if __name__ == '__main__':
    main()
