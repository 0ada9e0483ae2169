"""CIRKD: relations of positions across images, in the batch and to remembered ones."""

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
            # Short recipes on small crops: a tenth of the authors' queues.
            pixels=2000,
            regions=200,
            loss_weight=0.1,
        ),
    ),
)
