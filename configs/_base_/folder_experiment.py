"""What a training on folders of images and masks needs beside its data and its model."""

_base_ = ['./datasets/common.py', './schedules/adamw_poly_20e.py', './runtime.py']
crop = dict(type='RandomResizeCropFlip', cat_max_ratio=0.75)
