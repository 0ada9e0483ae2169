"""Soft Jaccard distance of each class to the teacher's probabilities."""

terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        # The authors' Jaccard of the teacher to cross-entropy of the labels: 0.375 to 0.125.
        loss=dict(type='SoftJaccardLoss', loss_weight=3.0),
    )
)
