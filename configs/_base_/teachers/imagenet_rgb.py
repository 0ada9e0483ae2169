"""What a teacher with mmseg's parts has in common: ImageNet's mean and std, whole images."""

teacher = dict(
    type='Teacher',
    model=dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
        ),
        test_cfg=dict(mode='whole'),
    ),
    checkpoint=None,
)
