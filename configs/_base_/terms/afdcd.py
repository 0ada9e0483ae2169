"""Af-DCD: regenerate the teacher's feature from a masked one, and contrast its channel groups."""

terms = dict(
    context=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        adapter='auto',
        # The authors' weights and pooling on VOC; for CamVid theirs are 33 and 0.16, without
        # pooling, which takes 16 times the memory: fit for small maps.
        loss=dict(
            type='AfDCDLoss',
            channels='auto',
            pool=4,
            reconstruction=8.4,
            contrast=0.08,
            loss_weight=1.0,
        ),
    )
)
