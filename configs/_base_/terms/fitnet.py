"""FitNet: the values of the feature before the decoder."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        adapter='auto',
        loss=dict(type='FitNetLoss', loss_weight=10.0),
        # Beside an untrained student it would weigh many times the cross-entropy.
        schedule=[(0, 0), (0.1, 1)],
    )
)
