"""The tool on made images of the real size, in the layout of the official download."""

import cv2
import numpy as np
import pytest
from run_command import run_command

from segkd_mm.cli import halve_cityscapes
from segkd_mm.datasets import CityscapesHalfDataset

IMAGES = {'train': 'ulm/ulm_000001_000019', 'val': 'bonn/bonn_2', 'test': 'berlin/berlin_3'}


def image_of(root, split):
    return root / f'leftImg8bit/{split}/{IMAGES[split]}_leftImg8bit.png'


def label_of(root, split, kind='labelIds'):
    return root / f'gtFine/{split}/{IMAGES[split]}_gtFine_{kind}.png'


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


@pytest.fixture
def src(tmp_path):
    """One image a split: left half blue on road (7), right half red on bicycle (33)."""
    label = np.full((1024, 2048), 7, np.uint8)
    label[:, 1024:] = 33
    image = np.where(label[..., None] == 7, *np.array([[255, 0, 0], [0, 0, 255]], np.uint8))
    for split in IMAGES:
        write(image_of(tmp_path / 'src', split), image)
        # Those of test are dummies in the official download.
        write(label_of(tmp_path / 'src', split), label * (split != 'test'))
    return tmp_path / 'src'


def run(*words):
    run_command('halve-cityscapes', *words)


def files_in(folder):
    return sorted(path for path in folder.rglob('*') if path.is_file())


def test_the_half_set_is_made_once_and_is_read_by_the_dataset(src, tmp_path, monkeypatch, capsys):
    dst = tmp_path / 'dst'
    run(src, dst)
    labels = [label_of(dst, split, 'labelTrainIds') for split in ('train', 'val')]
    images = [image_of(dst, split) for split in IMAGES]
    assert files_in(dst) == sorted(images + labels)

    said = capsys.readouterr().out
    size = sum(path.stat().st_size for path in files_in(dst)) / 1000
    assert f'3 images and 2 labels, {size:.1f} kB; 5 files made, 0 there already' in said
    train = 'tools/train.py configs/student/psp_r18_cityscapes.py --cfg-options'
    assert f'{train} data_root={dst}\n' in said

    prefix = {'img_path': 'leftImg8bit/val', 'seg_map_path': 'gtFine/val'}
    sample = CityscapesHalfDataset(data_root=str(dst), data_prefix=prefix)[0]
    image, label = cv2.imread(sample['img_path']), cv2.imread(sample['seg_map_path'], -1)
    assert (image.shape, label.shape) == ((512, 1024, 3), (512, 1024))
    assert (label[:, :512] == 0).all() and (label[:, 512:] == 18).all()
    assert (image[:, :512] == [255, 0, 0]).all() and (image[:, 512:] == [0, 0, 255]).all()


def test_what_is_there_is_not_made_again(src, tmp_path, monkeypatch, capsys):
    dst = tmp_path / 'dst'
    kept = image_of(dst, 'train')
    write(kept, np.zeros((1, 1, 3), np.uint8))
    before = kept.read_bytes()
    run(src, dst)
    assert kept.read_bytes() == before
    assert '4 files made, 1 there already' in capsys.readouterr().out

    monkeypatch.setattr(halve_cityscapes, 'run_jobs', pytest.fail)
    run(src, dst)
    assert '0 files made, 5 there already' in capsys.readouterr().out


@pytest.mark.parametrize('kind', ['image', 'label'])
def test_a_file_of_another_size_is_named(src, tmp_path, kind):
    path = tmp_path / f'{kind}.png'
    write(path, np.zeros((512, 1024), np.uint8))
    halve = getattr(halve_cityscapes, f'halve_{kind}_file')
    with pytest.raises(ValueError, match=rf'{path} is 1024 x 512, expected 2048 x 1024'):
        halve(path, tmp_path / 'out.png')
    assert not (tmp_path / 'out.png').exists()


def test_a_file_that_is_cut_short_stops_the_tool_with_its_name(src, tmp_path):
    image = image_of(src, 'val')
    image.write_bytes(image.read_bytes()[:-500])
    with pytest.raises(ValueError, match=f'^{image} cannot be read'):
        run(src, tmp_path / 'dst')
    assert not image_of(tmp_path / 'dst', 'val').exists()
    assert [path for path in files_in(tmp_path / 'dst') if path.name.startswith('.')] == []


@pytest.mark.parametrize('split', ['train', 'val'])
def test_an_image_without_a_label_is_an_error_before_anything_is_made(
    src, tmp_path, monkeypatch, split
):
    label = label_of(src, split)
    label.unlink()
    with pytest.raises(ValueError, match=rf'{label} does not exist \(labels missing: 1\)'):
        run(src, tmp_path / 'dst')
    assert not (tmp_path / 'dst').exists()


def test_a_folder_without_images_is_an_error_that_says_what_to_unpack(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r'train holds no <city>.*leftImg8bit_trainvaltest.zip'):
        run(tmp_path, tmp_path / 'dst')


def test_source_and_target_must_differ(src, capsys):
    with pytest.raises(SystemExit):
        run(src, src / '..' / 'src')
    assert 'choose another DST' in capsys.readouterr().err
