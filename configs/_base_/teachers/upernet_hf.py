"""transformers' UperNet on ConvNeXt-T for the 150 classes of ADE20K, from the hub or a folder."""

teacher = dict(
    type='Teacher',
    model=dict(type='TransformersSegmentor', name='openmmlab/upernet-convnext-tiny'),
    checkpoint='hf://openmmlab/upernet-convnext-tiny',
)
