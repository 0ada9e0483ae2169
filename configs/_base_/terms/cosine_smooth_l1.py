"""Cosine distance and smooth L1 of the standardised feature, half and half."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        adapter='auto',
        # A gradient of about the cross-entropy's size.
        loss=dict(type='CosineSmoothL1Loss', loss_weight=5.0),
    )
)
