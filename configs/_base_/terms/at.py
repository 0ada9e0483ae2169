"""Attention transfer: the map of the feature's energy."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        loss=dict(type='AttentionTransferLoss', loss_weight=2.5),
    )
)
