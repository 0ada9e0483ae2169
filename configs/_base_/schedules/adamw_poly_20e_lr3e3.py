"""As adamw_poly_20e.py at 3e-3, with one validation, at the end: for the first run."""

_base_ = './adamw_poly_20e.py'

max_epochs = 20
optim_wrapper = dict(optimizer=dict(lr=3e-3))
train_cfg = dict(val_interval=max_epochs)
