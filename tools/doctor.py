"""Look at an experiment before a run: what would go wrong, and what to change."""

from segkd_mm.cli.doctor import main

if __name__ == '__main__':
    main()
