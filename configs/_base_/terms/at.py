"""AT: the attention map of the feature follows the teacher's."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        # CIRKD's 1e4 of a mean over 64 x 64 positions is 2.4 of our sum.
        loss=dict(type='AttentionTransferLoss', loss_weight=2.5),
    )
)
