"""The slim student on CamVid learns channel by channel from DeepLabV3 on whole images."""

_base_ = ['../_base_/pairs/leaderboard_camvid_whole.py', '../_base_/terms/cwd.py']
model = dict(terms=_base_.terms)
