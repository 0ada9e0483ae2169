"""AdamW for 30 epochs with a poly decay, one validation at the end: for the first run."""

_base_ = './adamw_poly_20e.py'

max_epochs = 30
optim_wrapper = dict(optimizer=dict(lr=4e-3))
param_scheduler = dict(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
