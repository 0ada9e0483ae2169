"""Hard pseudo-labels: cross-entropy on the class that the teacher predicts at each pixel."""

terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        loss=dict(type='PseudoLabelLoss', loss_weight=1.0),
    )
)
