"""A work directory's copy on a store."""

import sys
from shutil import rmtree
from types import SimpleNamespace

import fsspec
import pytest
import torch
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
        path = folder / name.replace('__', '/')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def save(folder, iteration):
    """A checkpoint, the pointer to it, and a best one of the same iteration."""
    folder.mkdir(exist_ok=True)
    torch.save({'meta': {'iter': iteration}, 'state_dict': {}}, folder / f'epoch_{iteration}.pth')
    write(folder, last_checkpoint=f'{folder}/epoch_{iteration}.pth')
    write(folder, **{'best.pth': f'best of {iteration}'})


def names(store):
    return sorted(path.removeprefix('/run/') for path in store.find('/run'))


def test_the_copy_follows_what_the_training_writes(store, tmp_path):
    save(tmp_path, 1)
    write(tmp_path, **{'20260131_235959__a.log': 'log', 'train.json': '{}'})
    write(tmp_path, **{'.in_use': 'locked', 'notes.txt': 'mine', 'earlier_1__epoch_9.pth': 'old'})
    copy = StoreCopy(tmp_path, 'memory://run')
    copy.check_empty()
    copy.begin()
    logs = ['20260131_235959/a.log', 'last_checkpoint', 'train.json']
    assert names(store) == sorted([*logs, 'best.pth', 'epoch_1.pth'])

    written = store.modified('/run/20260131_235959/a.log')
    store.pipe_file('/run/.env', b'of somebody')
    (tmp_path / 'epoch_1.pth').unlink()
    save(tmp_path, 2)
    copy.update()
    assert names(store) == sorted([*logs, '.env', 'best.pth', 'epoch_2.pth'])
    assert store.cat_file('/run/best.pth') == b'best of 2'
    # What is the same is not copied again.
    assert store.modified('/run/20260131_235959/a.log') == written

    with pytest.raises(StoreError, match=r'run/ holds a training, with 2026.*by --resume'):
        StoreCopy(tmp_path, 'memory://run/').check_empty()
    rmtree(tmp_path)  # such as a disk that is gone, for which the copy is made
    copy.update()
    assert 'epoch_2.pth' in names(store)


@pytest.mark.parametrize(
    ('here', 'there', 'best', 'checkpoints'),
    [
        ([], [1, 2], 2, [1, 2]),  # a new machine
        ([1], [1, 3], 3, [1, 3]),  # the training went on elsewhere
        ([1, 2], [1, 2], 2, [1, 2]),
        ([5], [3], 5, [3, 5]),  # the last copies failed
    ],
)
def test_a_store_is_fetched_where_it_is_further(store, tmp_path, here, there, best, checkpoints):
    for iteration in there:
        save(tmp_path / 'there', iteration)
    StoreCopy(tmp_path / 'there', 'memory://run').begin()
    (tmp_path / 'here').mkdir()
    for iteration in here:
        save(tmp_path / 'here', iteration)
    copy = StoreCopy(tmp_path / 'here', 'memory://run')
    copy.fetch()
    assert (tmp_path / 'here/best.pth').read_text() == f'best of {best}'
    copy.begin()
    files = [f'epoch_{iteration}.pth' for iteration in checkpoints]
    assert names(store) == ['best.pth', *files, 'last_checkpoint']
    assert store.cat_file('/run/best.pth') == b'best of %d' % best


def test_a_store_that_cannot_be_used_is_named(store, tmp_path, monkeypatch):
    with pytest.raises(StoreError, match='nix://a cannot be opened: ValueError: Protocol'):
        StoreCopy(tmp_path, 'nix://a')
    monkeypatch.setitem(sys.modules, 's3fs', None)  # as where it is not installed
    with pytest.raises(StoreError, match=r's3://b/a: Install s3fs.*segkd_mm\[stores\]'):
        StoreCopy(tmp_path, 's3://b/a')

    def refuse(*args, **kwargs):
        raise RuntimeError('no credentials')

    copy = StoreCopy(tmp_path, 'memory://run')
    write(tmp_path, **{'train.json': '{}'})
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


@pytest.mark.parametrize('address', ['memory://', '/', 'file:///'])
def test_an_address_without_a_folder_is_refused(address, tmp_path):
    with pytest.raises(StoreError, match=r'found no folder, expected such as s3://bucket/run'):
        StoreCopy(tmp_path, address)


def test_a_name_that_leads_out_of_the_folder_is_left_alone(store, tmp_path, monkeypatch):
    found = ['/run/../../b.pth', '/run/20260131_235959/../../../b.pth', '/run/.pth']
    monkeypatch.setattr(type(store), 'find', lambda self, path: found)
    StoreCopy(tmp_path, 'memory://run').check_empty()


def test_a_training_goes_on_when_the_store_fails_and_says_so(store, tmp_path, monkeypatch, capsys):
    # Other tests leave loggers behind.
    log = 'segkd_mm.results.store_copy_hook.print_log'
    monkeypatch.setattr(log, lambda text, *_: print(text))

    def refuse(*args):
        raise RuntimeError('connection lost')

    copy = StoreCopy(tmp_path, 'memory://run')
    hook, put, hub = StoreCopyHook(copy), copy.store.put_file, MessageHub('a copy')
    runner = SimpleNamespace(message_hub=hub)
    save(tmp_path, 1)
    hook.update()
    assert names(store) == []  # a training that did not begin
    hook.before_train(runner)
    assert 'epoch_1.pth' in names(store)
    save(tmp_path, 2)
    hub.update_info('last_ckpt', 'epoch_2.pth')
    copy.store.put_file = refuse
    hook.after_train_iter(runner)
    said = capsys.readouterr().out
    assert f'run: not copied (RuntimeError: connection lost); all is in {tmp_path}.' in said
    copy.store.put_file = put
    hook.after_train_iter(runner)
    assert 'epoch_2.pth' not in names(store)  # until the next checkpoint
    hub.update_info('last_ckpt', 'epoch_3.pth')
    hook.after_train_epoch(runner)
    assert 'epoch_2.pth' in names(store)
