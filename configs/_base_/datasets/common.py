# What every data set has in common; each file beside this one adds the rest.
# A training pipeline is these, a resize and a crop that suit the images, and those.
load_seeded = [
    dict(type='SeedAugmentation'),
    dict(type='LoadImageFromFile'),
    dict(type='LoadCheckedAnnotations'),
]
# The same, with decoded images and masks kept in up to 2 GiB that the workers share.
load_cached = [
    dict(type='SeedAugmentation'),
    dict(type='LoadCachedImage', mebibytes=1536),
    dict(type='LoadCachedAnnotations', mebibytes=512),
]
flip_and_pack = [
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs'),
]
# For the light pipelines, which give the same samples sooner: docs/fast_training.md.
distort_and_pack = [
    dict(type='TabledPhotoMetricDistortion'),
    dict(
        type='PackSegInputs',
        meta_keys=(
            'img_path', 'seg_map_path', 'ori_shape', 'img_shape', 'pad_shape', 'scale_factor',
            'flip', 'flip_direction', 'reduce_zero_label', 'crop_to_image',
        ),
    ),
]  # fmt: skip
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadCheckedAnnotations'),
    dict(type='PackSegInputs'),
]
# For a loop that counts iterations: train_dataloader.sampler.type = 'ReplayInfiniteSampler'.
train_dataloader = dict(
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='ReplayEpochSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ClassIoUMetric')
test_evaluator = val_evaluator
preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_val=0,
    seg_pad_val=255,
)
