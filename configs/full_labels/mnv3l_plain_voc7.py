"""The baseline with labels for all images: MobileNetV3-Large on 1,084 images of VOC, seven classes."""

_base_ = '../few_labels/mnv3l_plain_voc7_1_8.py'
train_dataloader = dict(dataset=dict(split='labelled_all'))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
