"""AdamW for 3 epochs with a poly decay, the pretrained trunk at a tenth of the learning rate."""

_base_ = './adamw_poly_20e.py'

max_epochs = 3
optim_wrapper = dict(
    optimizer=dict(lr=3e-3), paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
)
param_scheduler = dict(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
