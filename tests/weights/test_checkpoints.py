import torch

from segkd_mm.weights.checkpoints import newest_whole


def save(path, iteration, **other):
    torch.save({'meta': {'iter': iteration}, 'state_dict': {'a': torch.ones(99)}, **other}, path)
    (path.parent / 'last_checkpoint').write_text(str(path))


def cut(path, size=None):
    content = path.read_bytes()
    path.write_bytes(content[: size or len(content) // 2])


def damage(path):
    content = bytearray(path.read_bytes())
    at = content.find(torch.ones(99).numpy().tobytes())
    content[at + 7] ^= 1
    path.write_bytes(content)


def test_the_latest_whole_checkpoint_is_found_and_the_others_named(tmp_path):
    assert newest_whole(tmp_path) == (None, [])
    for epoch in (2, 10, 11, 12):
        save(tmp_path / f'epoch_{epoch}.pth', 4 * epoch)
    save(tmp_path / 'best_mIoU_epoch_12.pth', 48)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_12.pth'))
    (tmp_path / 'best.pth').symlink_to('best_mIoU_epoch_12.pth')
    torch.save({'a': torch.ones(1)}, tmp_path / 'other_weights.pth')
    (tmp_path / '.epoch_13.77.pth').write_bytes(b'PK\x03\x04')  # of a killed process
    assert newest_whole(tmp_path) == (tmp_path / 'epoch_12.pth', [])

    cut(tmp_path / 'epoch_12.pth')
    damage(tmp_path / 'epoch_11.pth')
    found, (eleven, twelve) = newest_whole(tmp_path)
    assert found == tmp_path / 'epoch_10.pth'
    assert 'epoch_11.pth is not whole: ' in eleven
    assert 'in it is damaged' in eleven
    assert 'epoch_12.pth is not whole: File is not a zip file' in twelve

    (tmp_path / 'epoch_12.pth').unlink()
    (tmp_path / 'epoch_11.pth').unlink()
    found, faults = newest_whole(tmp_path)
    assert found == tmp_path / 'epoch_10.pth'
    assert faults == [f'last_checkpoint names {tmp_path / "epoch_12.pth"}, which is gone']


def test_the_pointer_may_be_empty_or_of_a_folder_that_was_moved(tmp_path):
    work = tmp_path / 'work'
    work.mkdir()
    save(work / 'epoch_1.pth', 4)
    work = work.rename(tmp_path / 'moved')
    assert newest_whole(work) == (work / 'epoch_1.pth', [])
    (work / 'last_checkpoint').write_text('')
    assert newest_whole(work) == (work / 'epoch_1.pth', [])


def test_checkpoints_may_be_in_another_folder_than_the_pointer(tmp_path):
    (tmp_path / 'out').mkdir()
    save(tmp_path / 'out' / 'iter_5.pth', 5)
    (tmp_path / 'work').mkdir()
    (tmp_path / 'out' / 'last_checkpoint').rename(tmp_path / 'work' / 'last_checkpoint')
    assert newest_whole(tmp_path / 'work') == (tmp_path / 'out' / 'iter_5.pth', [])
