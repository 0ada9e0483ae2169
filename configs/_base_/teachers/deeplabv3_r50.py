"""torchvision's DeepLabV3-ResNet50, with its weights for VOC's classes."""

teacher = dict(
    type='Teacher',
    model=dict(type='TorchvisionSegmentor', arch='deeplabv3_resnet50', num_classes=21),
    checkpoint='torchvision://deeplabv3_resnet50',
)
