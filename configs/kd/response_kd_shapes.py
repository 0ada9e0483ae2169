"""The slim student on the shapes data set learns from the responses of a wider network."""

_base_ = ['../_base_/pairs/shapes.py', '../_base_/terms/response.py']
model = dict(terms=_base_.terms)
