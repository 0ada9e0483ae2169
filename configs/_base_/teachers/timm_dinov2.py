"""timm's DINOv2 ViT-S/14, four of its twelve blocks as features; weights from the hub or a folder.

Where the hub is out of reach: `hf download timm/vit_small_patch14_dinov2.lvd142m` elsewhere.
"""

teacher = dict(
    type='Teacher',
    model=dict(
        type='TimmFeatures',
        arch='vit_small_patch14_dinov2.lvd142m',
        options=dict(out_indices=(2, 5, 8, 11), dynamic_img_size=True),
    ),
    checkpoint='hf://timm/vit_small_patch14_dinov2.lvd142m',
    size_divisor=14,
)
