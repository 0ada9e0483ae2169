"""Boundary split: edges follow the teacher by pixel, bodies by channel."""

terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        # A gradient of about the cross-entropy's size.
        loss=dict(type='BoundarySplitLoss', loss_weight=0.5),
    )
)
