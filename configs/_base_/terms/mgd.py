"""MGD: regenerate the teacher's feature from the masked feature of the student."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        adapter='auto',
        # Between the authors' weights for 512 and for 2048 channels (docs/losses.md). The untrained
        # generator weakens the gradient to about a quarter of FitNet's.
        loss=dict(type='MGDLoss', channels='auto', loss_weight=50.0),
    )
)
