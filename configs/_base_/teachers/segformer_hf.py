"""transformers' SegFormer-B2 for the 19 classes of Cityscapes, weights and all from the hub.

Where the hub is out of reach: `hf download` of that name elsewhere, and the folder in both places.
"""

teacher = dict(
    type='Teacher',
    model=dict(
        type='TransformersSegmentor', name='nvidia/segformer-b2-finetuned-cityscapes-1024-1024'
    ),
    checkpoint='hf://nvidia/segformer-b2-finetuned-cityscapes-1024-1024',
)
