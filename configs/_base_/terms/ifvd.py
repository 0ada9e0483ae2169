"""IFVD: how far each position is from the mean of its class."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        loss=dict(type='IntraClassLoss', loss_weight=20.0),
    )
)
