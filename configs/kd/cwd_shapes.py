"""The slim student on the shapes data set learns channel by channel from a wider network."""

_base_ = ['../_base_/pairs/shapes.py', '../_base_/terms/cwd.py']
model = dict(terms=_base_.terms)
