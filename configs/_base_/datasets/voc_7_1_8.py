"""VOC 2012 in seven classes with an eighth of the labels: 162 images of 1,300, in small crops.

Validation is on 216 other images of the 1,300, for tuning; the test is on VOC's own validation set.
"""

_base_ = './common.py'

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
images = dict(
    data_root=data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    metainfo=dict(classes=classes),
)
labelled = dict(type='VOC7Dataset', split='labelled_1_8', pipeline=pipeline, **images)
unlabelled = dict(type='VOC7Dataset', split='unlabelled_1_8', pipeline=pipeline, **images)
train_dataloader = dict(batch_size=8, sampler=dict(type='ReplayInfiniteSampler'), dataset=labelled)
val_dataloader = dict(
    dataset=dict(type='VOC7Dataset', split='held_out', pipeline=_base_.test_pipeline, **images)
)
test_dataloader = dict(
    dataset=dict(
        type='VOC2012Dataset',
        ann_file='ImageSets/Segmentation/val.txt',
        pipeline=_base_.test_pipeline,
        **images,
    )
)
preprocessor = dict(size=crop_size)
