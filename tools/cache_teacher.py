"""Build a teacher cache: run the teacher once on each whole training image, store its logits."""

from segkd_mm.cli.cache_teacher import main

if __name__ == '__main__':
    main()
