"""Feature distillation: the directions of two intermediate features and of the final one."""

terms = dict(
    mid=dict(
        student='backbone.mid',
        teacher='backbone.layer2',
        adapter='auto',
        loss=dict(type='CosineFeatureLoss', loss_weight=0.1),
    ),
    high=dict(
        student='backbone.high',
        teacher='backbone.layer3',
        adapter='auto',
        loss=dict(type='CosineFeatureLoss', loss_weight=0.1),
    ),
    final=dict(
        student='backbone.final',
        teacher='backbone.layer4',
        adapter='auto',
        loss=dict(type='CosineFeatureLoss', loss_weight=0.5),
    ),
)
