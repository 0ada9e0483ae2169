# A teacher of VOC for a student of MSRC-v2's objects: what VOC alone names is background there.
class_map = dict(
    student='MSRCv2ObjectsDataset',
    teacher='VOC2012Dataset',
    mapping=dict(
        background=[
            'background', 'bottle', 'bus', 'diningtable', 'motorbike', 'pottedplant', 'sofa',
            'train', 'tvmonitor',
        ],
    ),
    drop='horse',
)  # fmt: skip
