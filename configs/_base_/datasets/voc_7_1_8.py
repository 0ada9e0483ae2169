"""VOC 2012 in seven classes with an eighth of the labels: 162 images of 1,300.

Validation is on 216 other images of the 1,300, for tuning; the test is on VOC's own validation set.
"""

_base_ = './voc_7_small.py'

labels = '1_8'
images = dict(
    type='VOC7Dataset',
    data_root=_base_.data_root,
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    metainfo=dict(classes=_base_.classes),
)
labelled = dict(split=f'labelled_{labels}', pipeline=_base_.pipeline, **images)
unlabelled = dict(split=f'unlabelled_{labels}', pipeline=_base_.pipeline, **images)
train_dataloader = dict(
    sampler=dict(type='ReplayInfiniteSampler'), dataset=dict(_delete_=True, **labelled)
)
val_dataloader = dict(
    dataset=dict(_delete_=True, split='held_out', pipeline=_base_.test_pipeline, **images)
)
