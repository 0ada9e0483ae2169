"""MSRC-v2 in 12 classes with an eighth of the labels: 34 images of 276, in small crops."""

_base_ = './common.py'

data_root = 'data/msrc_v2'
num_classes = 12
crop_size = (208, 208)
small = dict(crop_size=crop_size, scale=(320, 240), ratio_range=(0.75, 2.0), cat_max_ratio=0.75)
pipeline = [
    *_base_.load_seeded,
    dict(type='RandomResizeCropFlip', **small),
    *_base_.distort_and_pack,
]
images = dict(
    type='MSRCv2ObjectsDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
)
labelled = dict(split='labelled_1_8', pipeline=pipeline, **images)
unlabelled = dict(split='unlabelled_1_8', pipeline=pipeline, **images)
train_dataloader = dict(batch_size=8, sampler=dict(type='ReplayInfiniteSampler'), dataset=labelled)
val_dataloader = dict(dataset=dict(split='val', pipeline=_base_.test_pipeline, **images))
test_dataloader = dict(dataset=dict(split='test', pipeline=_base_.test_pipeline, **images))
preprocessor = dict(size=crop_size)
