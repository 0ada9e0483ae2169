"""torchvision's LR-ASPP on MobileNetV3-Large, logits at stride 8: 3,221,538 parameters."""

peer = dict(type='TorchvisionSegmentor', arch='lraspp_mobilenet_v3_large', num_classes=21)
