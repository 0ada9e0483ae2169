"""The slim student on the shapes data set learns from the features of a wider network."""

_base_ = ['../_base_/pairs/shapes.py', '../_base_/terms/feature.py']
_base_.terms.mid.teacher = 'backbone.mid'
_base_.terms.high.teacher = 'backbone.high'
_base_.terms.final.teacher = 'backbone.final'
model = dict(terms=_base_.terms)
