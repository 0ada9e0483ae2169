"""The slim student on CamVid learns from ResNet-50's responses to images without labels, too."""

_base_ = ['../_base_/pairs/camvid.py', '../_base_/terms/response.py']
model = dict(terms=_base_.terms)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='WithUnlabelled',
        labelled=_base_.train_dataloader.dataset,
        images='data/images',
    ),
)
