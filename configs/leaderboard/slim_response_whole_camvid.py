"""The slim student on CamVid learns from DeepLabV3's responses to whole images."""

_base_ = ['../_base_/pairs/leaderboard_camvid_whole.py', '../_base_/terms/response.py']
model = dict(terms=_base_.terms)
