"""A pretrained MobileNetV3-Small, which nobody offers: it learns DeepLabV3's features, no labels.

On the training photos of VOC 2012, CamVid and MSRC-v2. A student starts from it with
model.backbone.weights=work_dirs/backbone_kd_mnv3s/epoch_12.pth
"""

_base_ = [
    '../_base_/datasets/voc.py',
    '../_base_/teachers/deeplabv3_mnv2.py',
    '../_base_/schedules/adamw_poly_20e.py',
    '../_base_/runtime.py',
]
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
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        ignore_keys=['classes', 'palette', 'label_map'],
        datasets=[
            dict(
                type='VOC2012Dataset',
                data_root='data/VOCdevkit/VOC2012',
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
                ann_file='ImageSets/Segmentation/train.txt',
                pipeline=pipeline,
            ),
            dict(
                type='CamVidDataset',
                data_root='data/camvid',
                data_prefix=dict(img_path='train', seg_map_path='trainannot'),
                pipeline=pipeline,
            ),
            dict(
                type='MSRCv2Dataset',
                data_root='data/msrc_v2',
                data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
                split='train',
                pipeline=pipeline,
            ),
        ],
    )
)
val_dataloader = val_evaluator = val_cfg = None
test_dataloader = test_evaluator = test_cfg = None

_base_.preprocessor.size = crop_size
student = dict(
    type='EncoderDecoder',
    data_preprocessor=_base_.preprocessor,
    backbone=dict(type='TorchvisionTapBackbone', arch='mobilenet_v3_small', output_stride=16),
    # mmseg wants a head: one conv, whose loss counts nothing.
    decode_head=dict(
        type='FCNHead',
        in_channels=576,
        channels=576,
        in_index=3,
        num_convs=0,
        concat_input=False,
        num_classes=23,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.0, avg_non_ignore=True),
    ),
)
similar = dict(adapter='auto', loss=dict(type='CosineSmoothL1Loss', loss_weight=1.0))
model = dict(
    type='SegDistiller',
    student=student,
    teacher=_base_.teacher,
    terms=dict(
        mid=dict(student='backbone.mid', teacher='backbone.mid', **similar),
        high=dict(student='backbone.high', teacher='backbone.high', **similar),
        final=dict(student='backbone.final', teacher='backbone.last', **similar),
    ),
)

max_epochs = 12
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = dict(end=max_epochs)
train_cfg = dict(max_epochs=max_epochs)
default_hooks = dict(checkpoint=dict(interval=1, save_best=None))
