"""Check an experiment before a run: faults, warnings and what to change."""

from segkd_mm.cli.doctor import main

if __name__ == '__main__':
    main()
