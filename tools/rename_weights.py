"""Give weights from another code base the names of a model here, once and for all."""

from segkd_mm.cli.rename_weights import main

if __name__ == '__main__':
    main()
