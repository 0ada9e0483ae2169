"""Af-DCD: the teacher's feature is regenerated, and its groups of channels told apart."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        adapter='auto',
        # The authors' weights on CamVid: 33 for the reconstruction, and more contrast.
        loss=dict(type='AfDCDLoss', channels='auto', pool=1, loss_weight=4.0),
    )
)
