"""Every way by which mmengine reads a checkpoint refuses one that would run code."""

import os
from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from mmseg.apis import init_model
from mmseg.registry import MODELS
from torch import nn

from segkd_mm.config import load_config
from segkd_mm.weights import WeightsError, mmengine_loader

# Prefixes of addresses that mmengine reads; a new one needs a look at how it does.
SCHEMES = {
    '', 'http://', 'https://', 'pavi://', r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'modelzoo://',
    'torchvision://', 'open-mmlab://', 'openmmlab://', 'mmcls://',
}  # fmt: skip


class Payload:
    """A pickle of it makes a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


class OneWeight(BaseModel):
    def __init__(self, init_cfg=None):
        super().__init__(init_cfg=init_cfg)
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return {'loss': self.weight.sum()}


def train(work_dir, **options):
    runner = Runner(
        OneWeight(),
        str(work_dir),
        train_dataloader=dict(
            dataset=[{'inputs': torch.zeros(1)}] * 2,
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=1,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=options.pop('epochs', 2)),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
        experiment_name=f'{work_dir}{options}',
        log_level='ERROR',
        **options,
    )
    runner.train()
    return runner


def resume(file, folder):
    train(folder / 'run', resume=True, load_from=file)


def resume_latest(file, folder):
    (folder / 'run').mkdir()
    (folder / 'run' / 'last_checkpoint').write_text(file)
    train(folder / 'run', resume=True)


def load_from(file, folder):
    train(folder / 'run', load_from=file)


def pretrained(file, _folder):
    OneWeight(init_cfg=dict(type='Pretrained', checkpoint=file)).init_weights()


def pretrained_with_prefix(file, _folder):
    OneWeight(init_cfg=dict(type='Pretrained', checkpoint=file, prefix='a')).init_weights()


def in_a_backbone(file, _folder):
    init_cfg = dict(type='Pretrained', checkpoint=file)
    MODELS.build(dict(type='mmseg.ResNet', depth=18, init_cfg=init_cfg)).init_weights()


def loaded(file, _folder):
    load_checkpoint(OneWeight(), file)


def of_init_model(file, _folder):
    init_model(load_config('student/mnv3s_slim_shapes.py'), file, device='cpu')


@pytest.mark.parametrize(
    'way',
    [
        resume, resume_latest, load_from, pretrained, pretrained_with_prefix, in_a_backbone, loaded,
        of_init_model,
    ],
)  # fmt: skip
def test_no_way_runs_code_of_a_file(tmp_path, way):
    file, ran = tmp_path / 'evil.pth', tmp_path / 'ran'
    state = {'weight': torch.zeros(2)}
    torch.save({'state_dict': state, 'meta': Payload(ran)}, file)
    with pytest.raises(WeightsError, match=r'evil\.pth holds more than tensors.*posix.system'):
        way(str(file), tmp_path)
    assert not ran.exists()


def test_no_address_runs_code_of_a_file(tmp_path, monkeypatch):
    assert set(CheckpointLoader._schemes) == SCHEMES
    file, ran = tmp_path / 'evil.pth', tmp_path / 'ran'
    torch.save(Payload(ran), file)
    monkeypatch.setattr(mmengine_loader, 'local_path', lambda url: file)
    for address in (
        'https://x.org/evil.pth', 'torchvision://resnet18', 'open-mmlab://resnet50_caffe',
        'mmcls://vgg11',
    ):  # fmt: skip
        with pytest.raises(WeightsError, match=r'could run code \(.*posix.system'):
            CheckpointLoader.load_checkpoint(address)
    with file.open('rb') as opened, pytest.raises(WeightsError, match='A remote checkpoint holds'):
        mmengine_loader.load_safely(opened)
    assert not ran.exists()


def test_a_resumed_checkpoint_goes_on_and_its_text_is_not_run(tmp_path):
    straight = train(tmp_path / 'straight')
    train(tmp_path / 'stopped', epochs=1)
    first, ran = tmp_path / 'stopped' / 'epoch_1.pth', tmp_path / 'ran'
    checkpoint = torch.load(first, weights_only=False)
    checkpoint['meta']['config'] = f'import pathlib\npathlib.Path({str(ran)!r}).touch()'
    torch.save(checkpoint, first)
    resumed = train(tmp_path / 'stopped', resume=True)
    assert resumed.iter == 4
    assert not ran.exists()
    assert torch.equal(resumed.model.weight, straight.model.weight)


def test_what_is_wrong_with_a_file_is_said(tmp_path):
    (tmp_path / 'cut.pth').write_bytes(b'PK\x03\x04 and then nothing')
    with pytest.raises(WeightsError, match=r'cut\.pth'):
        load_checkpoint(OneWeight(), str(tmp_path / 'cut.pth'))
    torch.save(Path(), tmp_path / 'path.pth')
    with pytest.raises(WeightsError, match='add_safe_globals have the type that is named here'):
        load_checkpoint(OneWeight(), str(tmp_path / 'path.pth'))
