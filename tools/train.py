"""Train a student, a teacher, or a student with its teacher."""

from segkd_mm.cli.train import main

if __name__ == '__main__':
    main()
