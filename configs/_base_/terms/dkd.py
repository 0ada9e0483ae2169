"""Decoupled distillation: the label's class against the rest, and the rest by itself."""

terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        # A gradient of the cross-entropy's size; the authors' 1 is for classification.
        loss=dict(type='DKDLoss', temperature=4.0, alpha=1.0, beta=8.0, loss_weight=0.2),
        # The authors warm up for 20 of 240 epochs.
        schedule=[(0, 0), (0.1, 1)],
    )
)
