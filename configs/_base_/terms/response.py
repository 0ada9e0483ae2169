"""Response distillation: the student's class distribution follows the teacher's at each pixel."""

terms = dict(
    logits=dict(
        student='decode_head.conv_seg',
        teacher='decode_head.conv_seg',
        # One to one with the cross-entropy, as in the recipe's 0.5 and 0.5.
        loss=dict(type='PixelKLLoss', temperature=2.0, loss_weight=1.0),
    )
)
