"""VOC 2012 in seven classes, in small crops by the light pipeline: for trainings on a CPU.

The classes are those that have images enough in a small part of VOC; mmseg makes the others void.
"""

_base_ = './common.py'

dataset_type = 'VOC2012Dataset'
data_root = 'data/VOCdevkit/VOC2012'
# --cfg-options download=True reaches every data set, as data_root=DIR does.
download = False
classes = ('background', 'cat', 'cow', 'dog', 'horse', 'person', 'sheep')
num_classes = len(classes)
crop_size = (208, 208)
small = dict(crop_size=crop_size, scale=(2048, 320), ratio_range=(0.5, 1.5), cat_max_ratio=0.75)
pipeline = [
    *_base_.load_seeded,
    dict(type='RandomResizeCropFlip', **small),
    *_base_.distort_and_pack,
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        type=dataset_type,
        metainfo=dict(classes=classes),
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/train.txt',
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        metainfo=dict(classes=classes),
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/val.txt',
        pipeline=_base_.test_pipeline,
    ),
)
test_dataloader = val_dataloader
preprocessor = dict(size=crop_size)
