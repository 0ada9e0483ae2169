# A teacher of VOC for a student of MSRC-v2 without horse and mountain. Nine classes of MSRC-v2 are
# background in VOC, and face and body are both person: the teacher does not tell these apart.
class_map = dict(
    student=(
        'building', 'grass', 'tree', 'cow', 'sheep', 'sky', 'aeroplane', 'water', 'face', 'car',
        'bicycle', 'flower', 'sign', 'bird', 'book', 'chair', 'road', 'cat', 'dog', 'body', 'boat',
    ),
    teacher='VOC2012Dataset',
    mapping=dict(
        building='background',
        grass='background',
        tree='background',
        sky='background',
        water='background',
        flower='background',
        sign='background',
        book='background',
        road='background',
        face='person',
        body='person',
    ),
    drop=[
        'bottle', 'bus', 'diningtable', 'horse', 'motorbike', 'pottedplant', 'sofa', 'train',
        'tvmonitor',
    ],
)  # fmt: skip
