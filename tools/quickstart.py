"""Train and distil a first student in minutes, without a download."""

from segkd_mm.cli.quickstart import main

if __name__ == '__main__':
    main()
