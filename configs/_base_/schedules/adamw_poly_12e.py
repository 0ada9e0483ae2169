"""AdamW for 12 epochs with a poly decay: for first steps, in minutes."""

_base_ = './adamw_poly_20e.py'

max_epochs = 12
param_scheduler = dict(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=4)
