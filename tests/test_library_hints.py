"""Errors in which the libraries name nothing are said in words."""

from urllib.error import URLError

import pytest
from mmseg.datasets import BaseSegDataset
from torch.hub import load_state_dict_from_url

from segkd_mm.build_hints import build_hints


def test_what_cannot_be_fetched_is_named(monkeypatch, tmp_path):
    def refuse(*_args, **_kwargs):
        raise URLError('refused')

    monkeypatch.setattr('urllib.request.OpenerDirector.open', refuse)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    address = 'https://example.org/resnet18.pth'
    with pytest.raises(URLError, match=f'Could not fetch {address}: .*refused'), build_hints():
        load_state_dict_from_url(address)
    with pytest.raises(URLError, match='other'), build_hints():
        raise URLError('other')


def test_a_data_set_without_files_is_named(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'')
    message = f'BaseSegDataset found no images that end in .jpg in {tmp_path}. Check the paths'
    with pytest.raises(ValueError, match=message), build_hints():
        BaseSegDataset(data_prefix=dict(img_path=str(tmp_path)), pipeline=[])
    with pytest.raises(ValueError, match='other'), build_hints():
        raise ValueError('other')
