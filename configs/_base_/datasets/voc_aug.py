_base_ = './common.py'

dataset_type = 'VOC2012Dataset'
data_root = 'data/VOCdevkit/VOC2012'
# --cfg-options download=True reaches every data set, as data_root=DIR does.
download = False
num_classes = 21
crop_size = (256, 256)
# At ratio 1 the shorter side is 320: near the size of the images, which is what testing sees.
resize = dict(scale=(2048, 320), ratio_range=(0.5, 2.0))
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
    batch_size=16,
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(
                type=dataset_type,
                data_root=data_root,
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
                ann_file='ImageSets/Segmentation/train.txt',
                pipeline=train_pipeline,
            ),
            dict(
                type=dataset_type,
                data_root=data_root,
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
                ann_file='ImageSets/Segmentation/aug.txt',
                pipeline=train_pipeline,
            ),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/val.txt',
        pipeline=_base_.test_pipeline,
    ),
)
test_dataloader = val_dataloader
preprocessor = dict(size=crop_size)
