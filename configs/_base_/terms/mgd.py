"""MGD: the teacher's feature is regenerated from a masked one of the student."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        adapter='auto',
        # An untrained generator lets a tenth through of the gradient that FitNet would give.
        loss=dict(type='MGDLoss', channels='auto', loss_weight=50.0),
    )
)
