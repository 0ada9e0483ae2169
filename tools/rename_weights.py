"""Rename the keys of weights from another code base to those of a model here."""

from segkd_mm.cli.rename_weights import main

if __name__ == '__main__':
    main()
