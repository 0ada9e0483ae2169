"""Predict images: a picture of each with its label map and an overlay."""

from segkd_mm.cli.predict import main

if __name__ == '__main__':
    main()
