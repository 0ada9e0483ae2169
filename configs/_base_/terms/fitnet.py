"""FitNet: the values of the feature before the decoder."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        adapter='auto',
        loss=dict(type='FitNetLoss', loss_weight=10.0),
    )
)
