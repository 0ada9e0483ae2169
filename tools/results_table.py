"""Write the tables of measured results in README.md and docs/ from the files in results/."""

from segkd_mm.cli.results_table import main

if __name__ == '__main__':
    main()
