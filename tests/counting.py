"""Parameter counts of networks, added up layer by layer from the papers' tables.

An independent formula: nothing here looks at a module.
"""

# MobileNetV3, arXiv 1905.02244, tables 1 and 2: channels in, kernel, expanded, out, and those to
# which squeeze-and-excitation squeezes (a quarter of the expanded, to a multiple of 8) or None.
MOBILENET_V3_SMALL = [
    (16, 3, 16, 16, 8),
    (16, 3, 72, 24, None),
    (24, 3, 88, 24, None),
    (24, 5, 96, 40, 24),
    (40, 5, 240, 40, 64),
    (40, 5, 240, 40, 64),
    (40, 5, 120, 48, 32),
    (48, 5, 144, 48, 40),
    (48, 5, 288, 96, 72),
    (96, 5, 576, 96, 144),
    (96, 5, 576, 96, 144),
]
MOBILENET_V3_LARGE = [
    (16, 3, 16, 16, None),
    (16, 3, 64, 24, None),
    (24, 3, 72, 24, None),
    (24, 5, 72, 40, 24),
    (40, 5, 120, 40, 32),
    (40, 5, 120, 40, 32),
    (40, 3, 240, 80, None),
    (80, 3, 200, 80, None),
    (80, 3, 184, 80, None),
    (80, 3, 184, 80, None),
    (80, 3, 480, 112, 120),
    (112, 3, 672, 112, 168),
    (112, 5, 672, 160, 168),
    (160, 5, 960, 160, 240),
    (160, 5, 960, 160, 240),
]
# MobileNetV2, arXiv 1801.04381, table 2: expansion, channels out, blocks.
MOBILENET_V2 = [
    (1, 16, 1),
    (6, 24, 2),
    (6, 32, 3),
    (6, 64, 4),
    (6, 96, 3),
    (6, 160, 3),
    (6, 320, 1),
]


def conv_bn(in_channels, out_channels, kernel, groups=1):
    return kernel**2 * in_channels // groups * out_channels + 2 * out_channels


def dense(in_channels, out_channels):
    return in_channels * out_channels + out_channels


def inverted_residual(in_channels, kernel, expanded, out_channels, squeezed=None):
    expand = conv_bn(in_channels, expanded, 1) if expanded != in_channels else 0
    depthwise = conv_bn(expanded, expanded, kernel, groups=expanded)
    squeeze = dense(expanded, squeezed) + dense(squeezed, expanded) if squeezed else 0
    return expand + depthwise + squeeze + conv_bn(expanded, out_channels, 1)


def mobilenet_v3_small():
    blocks = sum(inverted_residual(*block) for block in MOBILENET_V3_SMALL)
    return conv_bn(3, 16, 3) + blocks + conv_bn(96, 576, 1)


def mobilenet_v3_large():
    blocks = sum(inverted_residual(*block) for block in MOBILENET_V3_LARGE)
    return conv_bn(3, 16, 3) + blocks + conv_bn(160, 960, 1)


def mobilenet_v2_blocks():
    """Up to the last block, of 320 channels."""
    total, channels = conv_bn(3, 32, 3), 32
    for expansion, out, blocks in MOBILENET_V2:
        for _ in range(blocks):
            total += inverted_residual(channels, 3, expansion * channels, out)
            channels = out
    return total


def mobilenet_v2():
    """With the 1x1 conv to 1280 channels."""
    return mobilenet_v2_blocks() + conv_bn(320, 1280, 1)


def resnet18():
    total, channels = conv_bn(3, 64, 7), 64
    for width in (64, 128, 256, 512):
        first = conv_bn(channels, width, 3) + conv_bn(width, width, 3)
        shortcut = conv_bn(channels, width, 1) if channels != width else 0
        total += first + shortcut + 2 * conv_bn(width, width, 3)
        channels = width
    return total


def bottleneck(in_channels, width):
    return conv_bn(in_channels, width, 1) + conv_bn(width, width, 3) + conv_bn(width, 4 * width, 1)


def resnet(blocks):
    """ResNet-50, 101 and so on, by the number of bottlenecks in each layer."""
    total, channels = conv_bn(3, 64, 7), 64
    for width, count in zip((64, 128, 256, 512), blocks, strict=True):
        total += bottleneck(channels, width) + conv_bn(channels, 4 * width, 1)
        total += (count - 1) * bottleneck(4 * width, width)
        channels = 4 * width
    return total


def separable(in_channels, out_channels):
    """Depthwise 3x3 without a norm, then a pointwise conv."""
    return 9 * in_channels + conv_bn(in_channels, out_channels, 1)


def light_aspp(in_channels, channels, num_dilations):
    pool = point = conv_bn(in_channels, channels, 1)
    dilated = num_dilations * conv_bn(in_channels, channels, 3)
    return pool + point + dilated + conv_bn((2 + num_dilations) * channels, channels, 1)


def aspp(in_channels, channels, num_dilations):
    """DeepLabV3's, as mmseg has it: joined by a 3x3 conv."""
    pool = point = conv_bn(in_channels, channels, 1)
    dilated = num_dilations * conv_bn(in_channels, channels, 3)
    return pool + point + dilated + conv_bn((2 + num_dilations) * channels, channels, 3)


def psp(in_channels, channels):
    """Of four bins."""
    return 4 * conv_bn(in_channels, channels, 1) + conv_bn(in_channels + 4 * channels, channels, 3)


def object_attention(channels, keys):
    """Keys and queries by two 1x1 convs each, values and output by one, then the join."""
    keys_and_queries = 2 * (conv_bn(channels, keys, 1) + conv_bn(keys, keys, 1))
    values_and_output = conv_bn(channels, keys, 1) + conv_bn(keys, channels, 1)
    return keys_and_queries + values_and_output + conv_bn(2 * channels, channels, 1)


def ocr(in_channels, channels, keys):
    return conv_bn(in_channels, channels, 3) + object_attention(channels, keys)


def light_ocr(in_channels, channels, keys, classes):
    regions = conv_bn(in_channels, channels, 1) + dense(channels, classes)
    depthwise = conv_bn(in_channels, in_channels, 3, groups=in_channels)
    return (
        regions + depthwise + conv_bn(in_channels, channels, 1) + object_attention(channels, keys)
    )


def fcn(in_channels, channels, classes):
    """A 3x3 conv and the classifier: the auxiliary head."""
    return conv_bn(in_channels, channels, 3) + dense(channels, classes)


def halved_mnv3s_pico(classes):
    """mnv3s_pico without half of the channels of each layer that no residual block adds to."""
    added = 24, 40, 48, 96

    def half(channels):
        return max(channels // 2 // 8 * 8, 8)

    def shared(channels):
        return channels if channels in added else half(channels)

    blocks = sum(
        inverted_residual(
            shared(taken), kernel, half(expanded), shared(given), squeezed and half(squeezed)
        )
        for taken, kernel, expanded, given, squeezed in MOBILENET_V3_SMALL
    )
    trunk = conv_bn(3, 8, 3) + blocks + conv_bn(96, 288, 1)
    branches = 2 * conv_bn(288, 64, 1) + 2 * separable(288, 64)
    at_16 = conv_bn(48, 24, 1) + separable(64 + 24, 64)
    at_8 = conv_bn(24, 16, 1) + separable(64 + 16, 64)
    return trunk + branches + conv_bn(4 * 64, 64, 1) + at_16 + at_8 + dense(64, classes)
