"""An HTTP service of one exported file: images in, label maps out."""

EXTRA = 'serve'  # of pip install 'segkd_mm[...]'
