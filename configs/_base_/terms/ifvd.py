"""IFVD: cosine of each position to the mean of its class."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        # The weight in CIRKD's code; 200 in IFVD's own.
        loss=dict(type='IntraClassLoss', loss_weight=20.0),
    )
)
