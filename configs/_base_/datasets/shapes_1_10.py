"""Scenes of large shapes with a tenth of the labels: 8 images of 80, of 64 x 64 pixels.

There is no validation set: what is drawn as `val` is the test, and nothing is chosen by it.
"""

_base_ = './common.py'

data_root = 'data/shapes_1_10'
num_classes = 8
crop_size = (48, 48)
# Without colour distortion, which needs more images than a first run has.
pipeline = [
    *_base_.load_seeded,
    dict(
        type='RandomResizeCropFlip',
        crop_size=crop_size,
        scale=(64, 64),
        ratio_range=(0.75, 1.33),
        cat_max_ratio=1.0,
    ),
    _base_.distort_and_pack[1],
]
scenes = dict(
    type='ShapesDataset',
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    num_train=80,
    num_val=100,
    tint_share=1.0,
    radius=(26, 52),
    size=64,
    clutter=(0, 3),
)
train_scenes = dict(ann_file='ImageSets/Segmentation/train.txt', pipeline=pipeline, **scenes)
labelled = dict(indices=8, **train_scenes)  # the first 8
unlabelled = dict(indices=-72, **train_scenes)  # the others
# Ten times the same 8, so that an epoch is as long with a tenth of the labels as with all.
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(type='RepeatDataset', times=10, dataset=labelled),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        ann_file='ImageSets/Segmentation/val.txt', pipeline=_base_.test_pipeline, **scenes
    ),
)
test_dataloader = val_dataloader
preprocessor = dict(size=crop_size)
