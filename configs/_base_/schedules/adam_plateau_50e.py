"""Adam for 50 epochs; the learning rate halves when the validation mIoU stalls for 5."""

optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4, weight_decay=1e-5))
param_scheduler = dict(
    type='ReduceOnPlateauLR', monitor='mIoU', rule='greater', factor=0.5, patience=5, by_epoch=True
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
