"""Self-similarity: distribution of each position's similarities within its image."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        loss=dict(type='SelfSimilarityLoss', loss_weight=1.0),
    )
)
