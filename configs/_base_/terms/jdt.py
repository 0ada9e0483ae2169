"""JDT: the regions of each class overlap with the teacher's, and with those of the labels."""

_base_ = './soft_jaccard.py'

terms = dict(
    labels=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        # As the teacher's half, three times the cross-entropy of the labels.
        loss=dict(type='HardJaccardLoss', loss_weight=3.0),
    )
)
