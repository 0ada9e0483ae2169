"""The slim student on the shapes data set learns from the responses of ResNet-18."""

_base_ = ['../_base_/pairs/shapes.py', '../_base_/terms/response.py']
model = dict(terms=_base_.terms)
