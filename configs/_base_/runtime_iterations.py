"""As runtime.py, for a loop that counts iterations in the place of epochs."""

_base_ = './runtime.py'

default_hooks = dict(
    logger=dict(log_metric_by_epoch=False), checkpoint=dict(by_epoch=False, interval=400)
)
log_processor = dict(by_epoch=False)
