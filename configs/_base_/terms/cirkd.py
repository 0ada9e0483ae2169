"""CIRKD: similarities of positions to those of all images of the batch, and of a memory."""

terms = dict(
    batch=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        loss=dict(type='CrossImageLoss', temperature=0.1, loss_weight=1.0),
    ),
    memory=dict(
        student='decode_head.aspp',
        teacher='decode_head.aspp',
        adapter='auto',
        loss=dict(
            type='CIRKDMemoryLoss',
            num_classes=21,
            channels='auto',
            temperature=0.1,
            # A tenth of the authors' queues, for short recipes on small crops.
            pixels=2000,
            regions=200,
            loss_weight=0.1,
        ),
    ),
)
