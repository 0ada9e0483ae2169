"""The slim student on CamVid learns correlations (DIST) from DeepLabV3 on whole images."""

_base_ = ['../_base_/pairs/leaderboard_camvid_whole.py', '../_base_/terms/dist.py']
model = dict(terms=_base_.terms)
