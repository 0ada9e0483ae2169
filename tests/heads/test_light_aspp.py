import pytest
import torch
from mmcv.cnn import ConvModule
from mmseg.registry import MODELS
from torch import nn

from segkd_mm.heads.light_aspp import ImagePool
from segkd_mm.heads.skip_fusion import SkipFusion

HEADS = ['LightASPPHead', 'DepthwiseDecoderHead']
each_head = pytest.mark.parametrize('type_', HEADS)


def build(type_, **kwargs):
    torch.manual_seed(0)
    return MODELS.build(dict(type=type_, channels=16, num_classes=5, **kwargs))


def features(batch=2):
    """At strides 4, 8 and 16 of an image of 100 x 132, of sizes that do not divide one another."""
    draw = torch.Generator().manual_seed(0)
    shapes = [(8, 25, 33), (12, 13, 17), (20, 7, 9)]
    return [torch.randn(batch, *shape, generator=draw) for shape in shapes]


@each_head
@pytest.mark.parametrize(
    ('inputs', 'size'),
    [
        (dict(in_channels=20), (7, 9)),
        (dict(in_channels=12, in_index=1), (13, 17)),
        (dict(in_channels=[20], in_index=[2]), (7, 9)),
        (dict(in_channels=[12, 20], in_index=[1, 2], skip_channels=(4,)), (13, 17)),
        (dict(in_channels=[12, 8, 20], in_index=[1, 0, 2], skip_channels=(4, 6)), (25, 33)),
    ],
)
def test_logits_have_the_size_of_the_last_skip_or_of_the_input(type_, inputs, size):
    assert build(type_, **inputs)(features()).shape == (2, 5, *size)


@each_head
@pytest.mark.parametrize(
    ('in_channels', 'in_index', 'skip_channels'),
    [([12, 8, 20], [1, 0, 2], (4,)), ([12, 20], [1, 2], (4, 6)), (20, -1, (4,))],
)
def test_as_many_skips_as_skip_channels_are_wanted(type_, in_channels, in_index, skip_channels):
    skips = len(in_channels) - 1 if isinstance(in_channels, list) else 0
    with pytest.raises(ValueError, match=rf'{type_} has {skips} skips .* skip_channels'):
        build(type_, in_channels=in_channels, in_index=in_index, skip_channels=skip_channels)


@each_head
def test_a_batch_of_one_trains_without_its_pooled_norm_learning_statistics(type_):
    head = build(type_, in_channels=20).train()
    pooled, point = head.aspp.branches[0].conv.norm, head.aspp.branches[1].norm
    before = {key: value.clone() for key, value in pooled.state_dict().items()}
    head(features(batch=1)).sum().backward()
    for key, value in pooled.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert pooled.weight.grad.any()
    assert pooled.training
    assert point.num_batches_tracked == 1  # the other norms have a whole map to learn from


@each_head
def test_a_batch_of_two_teaches_the_pooled_norm_its_statistics(type_):
    head = build(type_, in_channels=20).train()
    pool = head.aspp.branches[0].conv
    head(features())
    # Two values a channel, a and b: mean (a + b) / 2 and unbiased variance (a - b)² / 2, which
    # enter the statistics, at first 0 and 1, with momentum 0.1.
    a, b = features()[2].mean((2, 3)) @ pool.conv.weight[:, :, 0, 0].T
    torch.testing.assert_close(pool.norm.running_mean, 0.1 * (a + b) / 2)
    torch.testing.assert_close(pool.norm.running_var, 0.9 + 0.1 * (a - b) ** 2 / 2)


@torch.no_grad()
def test_image_pooling_spreads_the_mean_of_each_map():
    pool = ImagePool(ConvModule(2, 2, 1, norm_cfg=dict(type='BN'), act_cfg=None)).eval()
    pool.conv.conv.weight.copy_(torch.eye(2)[:, :, None, None])
    x = torch.tensor([[[1.0, 2, 6]], [[-4, 0, 1]]])[None]  # means 3 and -1
    expected = torch.tensor([[[3.0, 3, 3]], [[-1, -1, -1]]])[None]
    torch.testing.assert_close(pool(x), expected, rtol=1e-4, atol=0)  # eps of the norm


def test_the_branches_are_pooling_a_point_and_the_dilated_ones():
    aspp = build('LightASPPHead', in_channels=20, dilations=(2, 5)).aspp
    convs = [branch.conv for branch in aspp.branches[1:]]
    assert isinstance(aspp.branches[0], ImagePool)
    assert [(c.kernel_size[0], c.dilation[0], c.padding[0]) for c in convs] == [
        (1, 1, 0), (3, 2, 2), (3, 5, 5)
    ]  # fmt: skip
    assert aspp.project.conv.weight.shape == (16, 4 * 16, 1, 1)


@pytest.mark.parametrize('num_convs', [1, 2, 3])
def test_a_decoder_step_has_as_many_convs_as_asked(num_convs):
    skip = dict(in_channels=[12, 20], in_index=[1, 2], skip_channels=(4,), num_convs=num_convs)
    dense = build('LightASPPHead', **skip).fusions[0].refine
    assert [m.conv.weight.shape[1] for m in dense] == [20, 16, 16][:num_convs]
    separable = build('DepthwiseDecoderHead', **skip).fusions[0].refine
    assert [m.depthwise_conv.conv.groups for m in separable] == [20, 16, 16][:num_convs]


def test_a_depthwise_step_has_norm_and_activation_behind_the_point_alone():
    skip = dict(in_channels=[12, 20], in_index=[1, 2], skip_channels=(4,), num_convs=1)
    (step,) = build('DepthwiseDecoderHead', **skip).fusions[0].refine
    names = {type(m).__name__ for m in step.depthwise_conv.modules()}
    assert not names & {'BatchNorm2d', 'ReLU'}
    assert {type(m).__name__ for m in step.pointwise_conv.modules()} >= {'BatchNorm2d', 'ReLU'}


@pytest.mark.parametrize(
    ('align_corners', 'upsampled'),
    # From 2 to 4: between centres at 1/4, 3/4, 5/4, 7/4, held at the borders; or at the corners.
    [(False, [0.0, 0.25, 0.75, 1]), (True, [0, 1 / 3, 2 / 3, 1])],
)
def test_fusion_sets_the_upsampled_deep_features_beside_the_projected_skip(
    align_corners, upsampled
):
    double = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(double.weight, 2)
    fusion = SkipFusion(double, [], align_corners)
    fused = fusion(torch.tensor([[[[0.0, 1]]]]), torch.tensor([[[[5.0, 6, 7, 8]]]]))
    expected = torch.tensor([[[upsampled], [[10.0, 12, 14, 16]]]])
    torch.testing.assert_close(fused, expected)
