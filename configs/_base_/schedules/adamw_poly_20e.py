"""AdamW for 20 epochs with a poly decay: a short recipe, fit for a CPU."""

max_epochs = 20
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3, weight_decay=1e-2))
param_scheduler = dict(
    type='PolyLR',
    power=0.9,
    eta_min=1e-6,
    end=max_epochs,
    by_epoch=True,
    convert_to_iter_based=True,
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
