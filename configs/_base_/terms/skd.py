"""SKD's pair-wise distillation: cosines of all pairs of positions in an image."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        # The weight in CIRKD's code; 0.5 in SKD's own, of 2 x 2 nodes (max_nodes=4).
        loss=dict(type='PairWiseLoss', loss_weight=10.0),
    )
)
