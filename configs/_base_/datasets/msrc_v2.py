_base_ = './common.py'

dataset_type = 'MSRCv2Dataset'
data_root = 'data/msrc_v2'
num_classes = 23
crop_size = (240, 240)
# At ratio 1 the images keep their size, which is what testing sees.
resize = dict(scale=(320, 240), ratio_range=(0.5, 2.0))
train_pipeline = [
    *_base_.load_seeded,
    dict(type='RandomResize', keep_ratio=True, **resize),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=0.75),
    *_base_.flip_and_pack,
]
light_pipeline = [
    *_base_.load_seeded,
    dict(type='RandomResizeCropFlip', crop_size=crop_size, cat_max_ratio=0.75, **resize),
    *_base_.distort_and_pack,
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        split='train',
        pipeline=train_pipeline,
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
