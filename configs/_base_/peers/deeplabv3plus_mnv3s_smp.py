"""segmentation_models.pytorch's DeepLabV3+ on MobileNetV3-Small: 2,166,277 parameters."""

peer = dict(
    type='SMPSegmentor',
    arch='DeepLabV3Plus',
    encoder='tu-mobilenetv3_small_100',
    num_classes=21,
)
