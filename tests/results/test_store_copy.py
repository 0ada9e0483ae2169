"""A work directory's copy on a store."""

import sys
from types import SimpleNamespace

import fsspec
import pytest
from mmengine.logging import MessageHub

from segkd_mm.results.store_copy import StoreCopy, StoreError
from segkd_mm.results.store_copy_hook import StoreCopyHook


@pytest.fixture
def store():
    """A store in memory, empty again afterwards."""
    store = fsspec.filesystem('memory')
    yield store
    store.store.clear()


def write(folder, **files):
    for name, content in files.items():
        path = folder / name.replace('__', '/').replace('_pth', '.pth')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def names(store):
    return sorted(path.removeprefix('/run/') for path in store.find('/run'))


def test_the_copy_follows_the_folder_and_another_machine_gets_it(store, tmp_path):
    here, there = tmp_path / 'here', tmp_path / 'there'
    write(here, epoch_1_pth='one', last_checkpoint='epoch_1.pth', logs__a='log')
    write(here, **{'.in_use': 'locked', '.hidden__b': 'b'})
    (here / 'best.pth').symlink_to('epoch_1.pth')
    copy = StoreCopy(here, 'memory://run')
    copy.check_empty()
    copy.begin()
    assert names(store) == ['best.pth', 'epoch_1.pth', 'last_checkpoint', 'logs/a']

    written = store.modified('/run/logs/a')
    (here / 'epoch_1.pth').unlink()
    (here / 'best.pth').unlink()
    write(here, epoch_2_pth='two', last_checkpoint='epoch_2.pth')
    copy.update()
    assert names(store) == ['epoch_2.pth', 'last_checkpoint', 'logs/a']
    assert store.modified('/run/logs/a') == written  # what is the same is not copied again

    write(there, epoch_2_pth='own')
    second = StoreCopy(there, 'memory://run/')
    with pytest.raises(StoreError, match=r'run holds 3 files, such as epoch_2.pth.*--resume'):
        second.check_empty()
    assert second.fetch() == 2
    assert (there / 'last_checkpoint').read_text() == 'epoch_2.pth'
    assert (there / 'logs/a').read_text() == 'log'
    assert (there / 'epoch_2.pth').read_text() == 'own'
    (there / 'epoch_2.pth').unlink()
    write(there, epoch_3_pth='three')
    second.begin()
    assert names(store) == ['epoch_3.pth', 'last_checkpoint', 'logs/a']


def test_a_store_that_cannot_be_used_is_named(store, tmp_path, monkeypatch):
    with pytest.raises(StoreError, match='--copy-to nix://a: Protocol not known: nix; expected'):
        StoreCopy(tmp_path, 'nix://a')
    monkeypatch.setitem(sys.modules, 's3fs', None)  # as where it is not installed
    with pytest.raises(StoreError, match=r's3://b/a: Install s3fs.*segkd_mm\[stores\]'):
        StoreCopy(tmp_path, 's3://b/a')

    def refuse(*args, **kwargs):
        raise RuntimeError('no credentials')

    copy = StoreCopy(tmp_path, 'memory://run')
    write(tmp_path, a='a')
    monkeypatch.setattr(copy.store, 'put_file', refuse)
    with pytest.raises(StoreError, match='run cannot be written: RuntimeError: no credentials'):
        copy.begin()
    monkeypatch.setattr(copy.store, 'find', refuse)
    with pytest.raises(StoreError, match='run cannot be listed: RuntimeError: no credentials'):
        StoreCopy(tmp_path, 'memory://run')


@pytest.mark.parametrize('where', ['run', 'run/copy', '.'])
def test_a_copy_within_the_work_directory_or_around_it_is_refused(where, tmp_path):
    with pytest.raises(StoreError, match=r'lies in the work directory .*, or around it'):
        StoreCopy(tmp_path / 'run', str(tmp_path / where))


def test_a_name_that_leads_out_of_the_folder_is_refused(store, tmp_path, monkeypatch):
    monkeypatch.setattr(type(store), 'find', lambda self, path: ['/run/../../b.pth'])
    with pytest.raises(StoreError, match=r"holds '../../b.pth', which is outside of its folder"):
        StoreCopy(tmp_path, 'memory://run')


def test_a_training_goes_on_when_the_store_fails_and_says_so(store, tmp_path, capsys):
    def refuse(*args):
        raise RuntimeError('connection lost')

    copy = StoreCopy(tmp_path, 'memory://run')
    hook, put, hub = StoreCopyHook(copy), copy.store.put_file, MessageHub('a copy')
    runner = SimpleNamespace(message_hub=hub)
    hook.before_train(runner)
    write(tmp_path, epoch_1_pth='one')
    hub.update_info('last_ckpt', 'epoch_1.pth')
    copy.store.put_file = refuse
    hook.after_train_iter(runner)
    said = capsys.readouterr().out
    assert f'run: not copied (RuntimeError: connection lost); all is in {tmp_path}.' in said
    copy.store.put_file = put
    hook.after_train_iter(runner)
    assert names(store) == []  # until the next checkpoint
    hub.update_info('last_ckpt', 'epoch_2.pth')
    hook.after_train_epoch(runner)
    assert names(store) == ['epoch_1.pth']
