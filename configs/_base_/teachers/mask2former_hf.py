"""transformers' Mask2Former on Swin-S for the 150 classes of ADE20K, from the hub or a folder."""

teacher = dict(
    type='Teacher',
    model=dict(type='TransformersSegmentor', name='facebook/mask2former-swin-small-ade-semantic'),
    checkpoint='hf://facebook/mask2former-swin-small-ade-semantic',
)
