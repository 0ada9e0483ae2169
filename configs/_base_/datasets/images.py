"""The training images of VOC 2012, CamVid and MSRC-v2, for what needs no labels."""

_base_ = './common.py'

num_classes = 23  # of MSRC-v2, which has the most
crop_size = (192, 192)
pipeline = [
    *_base_.load_seeded,
    dict(
        type='RandomResizeCropFlip',
        scale=(2048, 320),
        ratio_range=(0.5, 1.5),
        crop_size=crop_size,
    ),
    *_base_.distort_and_pack,
]
voc = dict(
    type='VOC2012Dataset',
    data_root='data/VOCdevkit/VOC2012',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    ann_file='ImageSets/Segmentation/train.txt',
    pipeline=pipeline,
)
camvid = dict(
    type='CamVidDataset',
    data_root='data/camvid',
    data_prefix=dict(img_path='train', seg_map_path='trainannot'),
    pipeline=pipeline,
)
msrc_v2 = dict(
    type='MSRCv2Dataset',
    data_root='data/msrc_v2',
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
    split='train',
    pipeline=pipeline,
)
train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        type='ConcatDataset',
        datasets=[voc, camvid, msrc_v2],
        ignore_keys=['classes', 'palette', 'label_map'],
    ),
)
val_dataloader = val_evaluator = None
test_dataloader = test_evaluator = None
preprocessor = dict(size=crop_size)
