"""The slim student on CamVid learns what is alike from ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/self_similarity.py']
model = dict(terms=_base_.terms)
