"""segmentation_models.pytorch's DeepLabV3+ on ResNet-50, with weights that you trained by it.

A file of `torch.save(model.state_dict(), ...)` or a folder of `model.save_pretrained(...)`.
"""

teacher = dict(
    type='Teacher',
    model=dict(type='SMPSegmentor', arch='DeepLabV3Plus', encoder='resnet50', num_classes=21),
    checkpoint='weights/smp_deeplabv3plus_r50.pth',
    size_divisor=32,
)
