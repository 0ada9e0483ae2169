"""CIRKDv2's channel terms: similarities of channels across a batch, and their direction.

Its third is ChannelMemoryLoss, whose `windows` belong to one size of crop.
"""

aspp = dict(student='decode_head.aspp', teacher='decode_head.aspp', adapter='auto')
terms = dict(
    channels=dict(aspp, loss=dict(type='ChannelRelationLoss', temperature=0.1, loss_weight=1.0)),
    direction=dict(aspp, loss=dict(type='ChannelDirectionLoss', loss_weight=0.4)),
)
