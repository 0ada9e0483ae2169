"""DIST: correlation of the probabilities with the teacher's, by pixel and by class."""

terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        loss=dict(type='DISTLoss', loss_weight=1.0),
    )
)
