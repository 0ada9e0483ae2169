"""The slim student on CamVid learns the overlap of classes from ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/soft_jaccard.py']
model = dict(terms=_base_.terms)
