"""AdamW for 8 epochs with a poly decay: for first steps, in minutes."""

_base_ = './adamw_poly_20e.py'

max_epochs = 8
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = dict(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=4)
