# A teacher of Cityscapes for a student of CamVid: as SegNet merged the 32 classes of CamVid to 11.
class_map = dict(
    student='CamVidDataset',
    teacher='cityscapes',
    mapping={
        'building': ['building', 'wall'],
        'pavement': 'sidewalk',
        'tree': ['vegetation', 'terrain'],
        'sign symbol': ['traffic light', 'traffic sign'],
        'car': ['car', 'truck', 'bus', 'train'],
        'pedestrian': 'person',
        'bicyclist': ['rider', 'motorcycle', 'bicycle'],
    },
    drop=[],
)
