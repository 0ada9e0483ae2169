"""A head or neck whose in_channels do not fit: the error says which, and what it gets."""

from copy import deepcopy

import pytest
import torch
from mmseg.registry import MODELS
from tiny_student import MODEL

from segkd_mm.build_hints import BuildError, build_hints

HEAD, AUXILIARY = MODEL['decode_head'], MODEL['auxiliary_head']
GETS = r'but gets the maps 0: 8 channels, 1: 16 channels\. '
FCN = dict(AUXILIARY, type='FCNHead')


def forward(mode='tensor', **changes):
    model = MODELS.build(deepcopy({**MODEL, **changes}))
    if mode == 'tensor':
        return model(torch.zeros(2, 3, 32, 32))
    return model.loss(torch.zeros(2, 3, 32, 32), [])  # fails before the labels count


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(decode_head=dict(HEAD, in_channels=[8, 24])),
            r'decode_head \(DepthwiseDecoderHead\) has in_channels=\[8, 24\], in_index=\[0, 1\], '
            + GETS
            + r'Write in_channels=\[8, 16\], or another in_index',
        ),
        (
            dict(decode_head=dict(HEAD, in_index=[0, 2])),
            r'in_index=\[0, 2\], ' + GETS + 'Write an in_index of 0 to 1',
        ),
        (
            dict(decode_head=dict(HEAD, in_index=[0])),
            r'DepthwiseDecoderHead has in_channels=\[8, 16\], in_index=\[0\] and .*same length',
        ),
        (
            dict(decode_head=dict(FCN, in_channels=8)),
            r'decode_head \(FCNHead\) has in_channels=8, in_index=1, '
            + GETS
            + 'Write in_channels=16,',
        ),
        (
            dict(
                decode_head=dict(
                    FCN, in_channels=[8, 8], in_index=[0, 1], input_transform='resize_concat'
                )
            ),
            r'Write in_channels=\[8, 16\],',
        ),
        (
            dict(neck=dict(type='FPN', in_channels=[8, 24], out_channels=16, num_outs=2)),
            r'neck \(FPN\) has in_channels=\[8, 24\], ' + GETS + r'Write in_channels=\[8, 16\]\.',
        ),
    ],
)
def test_what_does_not_fit_is_named(changes, message):
    with pytest.raises(BuildError, match=message), build_hints():
        forward(**changes)


def test_of_several_heads_the_wrong_one_is_named_in_training():
    heads = [AUXILIARY, dict(AUXILIARY, in_channels=8)]
    with pytest.raises(BuildError, match=r'auxiliary_head.1 \(FCNHead\)'), build_hints():
        model = MODELS.build(deepcopy({**MODEL, 'auxiliary_head': heads}))
        model.auxiliary_head[0].loss = model.decode_head.loss = lambda *_: {}
        model.loss(torch.zeros(2, 3, 32, 32), [])


def test_other_errors_of_a_head_pass_unchanged():
    with pytest.raises(RuntimeError, match='stack expects a non-empty'), build_hints():
        forward('loss')
    with pytest.raises(RuntimeError, match='out of memory'), build_hints():
        raise RuntimeError('out of memory')
