"""The slim student on CamVid learns regions (soft Jaccard) from DeepLabV3 on whole images."""

_base_ = ['../_base_/pairs/leaderboard_camvid_whole.py', '../_base_/terms/soft_jaccard.py']
model = dict(terms=_base_.terms)
