"""Channel-wise distillation of features: the map of each channel follows the teacher's."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        adapter='auto',
        loss=dict(type='ChannelWiseLoss', temperature=4.0, loss_weight=50.0),
        # Beside an untrained student it would weigh many times the cross-entropy.
        schedule=[(0, 0), (0.1, 1)],
    )
)
