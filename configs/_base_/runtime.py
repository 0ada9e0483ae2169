"""What every experiment runs with: logging, checkpoints by best mIoU, exact resume."""

default_scope = 'mmseg'
custom_imports = dict(imports=['segkd_mm'])
env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20, log_metric_by_epoch=True),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=5, max_keep_ckpts=2, save_best='mIoU'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
    validation_labels=dict(type='ValidationLabelsHook'),
)
custom_hooks = [
    dict(type='IterationSeedHook'),
    dict(type='TermScheduleHook'),
    dict(type='LabelCheckHook'),
    dict(type='FiniteLossHook'),
    dict(type='BestLinkHook'),
]
randomness = dict(seed=0)
visualizer = dict(
    type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')], name='visualizer'
)
log_processor = dict(by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
