"""MSRC-v2 in small crops by the light pipeline: for trainings on a CPU."""

_base_ = './msrc_v2.py'
crop_size = (160, 224)
small = dict(crop_size=crop_size, scale=(320, 240), ratio_range=(0.5, 1.5), cat_max_ratio=0.75)
pipeline = [
    *_base_.load_seeded,
    dict(type='RandomResizeCropFlip', **small),
    *_base_.distort_and_pack,
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
preprocessor = dict(size=crop_size)
