"""Pair-wise distillation: the cosines of all pairs of positions in an image."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        loss=dict(type='PairWiseLoss', loss_weight=10.0),
    )
)
