"""As slim_plain_camvid.py, but as ``tools/train.py --amp`` trains it on a CPU."""

_base_ = '../configs/leaderboard/slim_plain_camvid.py'
optim_wrapper = dict(type='CPUAmpOptimWrapper')
