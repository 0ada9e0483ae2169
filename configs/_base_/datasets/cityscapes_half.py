_base_ = './common.py'

dataset_type = 'CityscapesHalfDataset'
data_root = 'data/cityscapes_half'
num_classes = 19
crop_size = (512, 512)
# At ratio 1 the images keep their size, which is what testing sees.
resize = dict(scale=(1024, 512), ratio_range=(0.5, 2.0))
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
        data_prefix=dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='leftImg8bit/val', seg_map_path='gtFine/val'),
        pipeline=_base_.test_pipeline,
    ),
)
test_dataloader = val_dataloader
preprocessor = dict(size=crop_size)
