"""Logit standardisation: the student orders and spaces its classes as the teacher does."""

terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        # A gradient of the cross-entropy's size; the authors' 9 is beside one of weight 0.1.
        loss=dict(type='StandardisedKLLoss', temperature=2.0, loss_weight=3.0),
        # Beside an untrained student it would weigh many times the cross-entropy.
        schedule=[(0, 0), (0.1, 1)],
    )
)
