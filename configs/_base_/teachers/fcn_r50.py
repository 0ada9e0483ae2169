"""torchvision's FCN-ResNet50, with its weights for VOC's classes."""

teacher = dict(
    type='Teacher',
    model=dict(type='TorchvisionSegmentor', arch='fcn_resnet50', num_classes=21),
    checkpoint='torchvision://fcn_resnet50',
)
