# A teacher of all of VOC for a student of seven classes (_base_/datasets/voc_7.py).
class_map = dict(
    student=('background', 'cat', 'cow', 'dog', 'horse', 'person', 'sheep'),
    teacher='VOC2012Dataset',
    drop=[
        'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'chair', 'diningtable',
        'motorbike', 'pottedplant', 'sofa', 'train', 'tvmonitor',
    ],
)  # fmt: skip
