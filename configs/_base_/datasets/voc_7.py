"""VOC 2012 in seven classes, for its smaller copies in which only these have photos enough."""

_base_ = './voc.py'
classes = ('background', 'cat', 'cow', 'dog', 'horse', 'person', 'sheep')
num_classes = len(classes)
# mmseg makes the others void.
train_dataloader = dict(dataset=dict(metainfo=dict(classes=classes)))
val_dataloader = dict(dataset=dict(metainfo=dict(classes=classes)))
test_dataloader = val_dataloader
