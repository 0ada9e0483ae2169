"""torchvision's DeepLabV3 on MobileNetV3-Large, logits at stride 16: 11,025,477 parameters."""

peer = dict(type='TorchvisionSegmentor', arch='deeplabv3_mobilenet_v3_large', num_classes=21)
