"""As mnv3l_kl_voc7_1_8.py, and the features of the same teacher, run on the crops."""

_base_ = './mnv3l_kl_voc7_1_8.py'
crops = dict(
    type='Teacher', model=_base_.model.teacher.model, checkpoint=_base_.model.teacher.checkpoint
)
cosine = dict(adapter='auto', loss=dict(type='CosineFeatureLoss', loss_weight=0.1))
final = dict(adapter='auto', loss=dict(type='CosineFeatureLoss', loss_weight=0.5))
model = dict(
    teacher=dict(
        _delete_=True, type='Teachers', members=dict(whole=_base_.model.teacher, crops=crops)
    ),
    terms=dict(
        logits=dict(teacher='whole.decode_head.conv_seg'),
        mid=dict(student='backbone.mid', teacher='crops.backbone.mid', **cosine),
        high=dict(student='backbone.high', teacher='crops.backbone.high', **cosine),
        final=dict(student='backbone.final', teacher='crops.backbone.last', **final),
    ),
)
