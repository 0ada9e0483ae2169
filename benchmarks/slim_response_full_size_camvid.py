"""As slim_response_camvid.py, but the distributions are compared at the size of the images."""

_base_ = '../configs/leaderboard/slim_response_camvid.py'
custom_imports = dict(imports=['segkd_mm', 'full_size'])
custom_hooks = [*_base_.custom_hooks, dict(type='FullSizeTermsHook')]
