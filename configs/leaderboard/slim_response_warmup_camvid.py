"""The slim student on CamVid learns from responses whose weight grows over half the training."""

_base_ = './slim_response_whole_camvid.py'
model = dict(terms=dict(logits=dict(schedule=[(0, 0), (0.5, 1)])))
