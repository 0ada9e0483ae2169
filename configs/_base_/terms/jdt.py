"""JDT: soft Jaccard distance of each class to the teacher's probabilities and to the labels."""

_base_ = './soft_jaccard.py'

terms = dict(
    labels=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        # As the teacher's half, three times the cross-entropy of the labels.
        loss=dict(type='HardJaccardLoss', loss_weight=3.0),
    )
)
