"""Predict images: for each a picture with the image, its label map and an overlay."""

from segkd_mm.cli.predict import main

if __name__ == '__main__':
    main()
