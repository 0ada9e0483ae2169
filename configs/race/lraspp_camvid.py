"""torchvision's LR-ASPP on CamVid from random weights, by the recipe of all in this folder."""

_base_ = [
    '../_base_/peers/lraspp_mnv3l_torchvision.py',
    '../_base_/datasets/camvid_small.py',
    '../_base_/schedules/adamw_poly_20e.py',
    '../_base_/runtime.py',
]
_base_.peer.data_preprocessor = _base_.preprocessor
_base_.peer.num_classes = _base_.num_classes
model = _base_.peer
train_cfg = dict(val_interval=20)
