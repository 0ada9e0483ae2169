_base_ = './common.py'

dataset_type = 'CamVidDataset'
data_root = 'data/camvid'
num_classes = 11
crop_size = (240, 320)
# At ratio 1 the images keep their size, which is what testing sees.
resize = dict(scale=(480, 360), ratio_range=(0.5, 2.0))
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
        data_prefix=dict(img_path='train', seg_map_path='trainannot'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='val', seg_map_path='valannot'),
        pipeline=_base_.test_pipeline,
    ),
)
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='test', seg_map_path='testannot'),
        pipeline=_base_.test_pipeline,
    ),
)
preprocessor = dict(size=crop_size)
