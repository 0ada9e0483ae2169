"""The slim student on CamVid learns edges and bodies apart from ResNet-50."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/boundary_split.py']
model = dict(terms=_base_.terms)
