"""MSRC-v2 in small crops by the light pipeline: for trainings on a CPU."""

_base_ = './common.py'

dataset_type = 'MSRCv2Dataset'
data_root = 'data/msrc_v2'
num_classes = 23
crop_size = (160, 224)
small = dict(crop_size=crop_size, scale=(320, 240), ratio_range=(0.5, 1.5), cat_max_ratio=0.75)
pipeline = [
    *_base_.load_seeded,
    dict(type='RandomResizeCropFlip', **small),
    *_base_.distort_and_pack,
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        split='train',
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        split='val',
        pipeline=_base_.test_pipeline,
    ),
)
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        split='test',
        pipeline=_base_.test_pipeline,
    ),
)
preprocessor = dict(size=crop_size)
