"""Self-similarity: what each position of an image is most alike to."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        loss=dict(type='SelfSimilarityLoss', loss_weight=1.0),
    )
)
