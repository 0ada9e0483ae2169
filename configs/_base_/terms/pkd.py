"""PKD: each channel of the feature correlates with the teacher's."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        adapter='auto',
        loss=dict(type='PKDLoss', loss_weight=6.0),
    )
)
