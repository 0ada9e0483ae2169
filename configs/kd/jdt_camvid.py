"""The slim student on CamVid learns the overlap of classes from ResNet-50 and from the labels."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/jdt.py']
model = dict(terms=_base_.terms)
