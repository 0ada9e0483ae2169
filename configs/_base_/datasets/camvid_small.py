"""CamVid in small crops by the light pipeline: for trainings on a CPU."""

_base_ = './common.py'

dataset_type = 'CamVidDataset'
data_root = 'data/camvid'
num_classes = 11
crop_size = (160, 224)
small = dict(crop_size=crop_size, scale=(480, 360), ratio_range=(0.5, 1.5), cat_max_ratio=0.75)
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
        data_prefix=dict(img_path='train', seg_map_path='trainannot'),
        pipeline=pipeline,
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
