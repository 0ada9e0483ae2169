"""Channel-wise distillation: the map of each class over the image follows the teacher's."""

terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        loss=dict(type='ChannelWiseLoss', temperature=4.0, loss_weight=3.0),
    )
)
