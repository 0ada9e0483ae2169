"""Recommended where few of many images have labels: the teacher's distribution on all images.

A teacher that sees whole images and their mirror, read from a cache, and the KL divergence of its
logits. `segkd new --teacher` builds on this file; what it gains is in docs/leaderboard.md.
"""

_base_ = '../folder_experiment.py'
view = dict(flip=True)
kl = dict(
    student='decode_head.conv_seg',
    loss=dict(type='PixelKLLoss', temperature=1.0, loss_weight=1.0),
)
