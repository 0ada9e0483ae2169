"""MobileNetV3-Large with labels for all images, and the teacher's distributions."""

_base_ = '../few_labels/mnv3l_kl_voc7_1_8.py'
all_labelled = dict(_base_.labelled, split='labelled_all')
train_dataloader = dict(dataset=dict(dataset=dict(_delete_=True, **all_labelled)))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
