import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations

from segkd_mm.datasets import CityscapesHalfDataset, DataLayoutError
from segkd_mm.datasets.cityscapes_half import halve_image, halve_mask

# By name, from cityscapesscripts/helpers/labels.py; of the ids 0 to 33 the others are not scored.
ID_OF = {
    'road': 7, 'sidewalk': 8, 'building': 11, 'wall': 12, 'fence': 13, 'pole': 17,
    'traffic light': 19, 'traffic sign': 20, 'vegetation': 21, 'terrain': 22, 'sky': 23,
    'person': 24, 'rider': 25, 'car': 26, 'truck': 27, 'bus': 28, 'train': 31, 'motorcycle': 32,
    'bicycle': 33,
}  # fmt: skip


def cityscapes(root, split='val', **kwargs):
    prefix = {'img_path': f'leftImg8bit/{split}', 'seg_map_path': f'gtFine/{split}'}
    return CityscapesHalfDataset(data_root=str(root), data_prefix=prefix, **kwargs)


def blocks(rows):
    """Each entry as a block of 2 x 2."""
    return np.kron(np.array(rows, np.uint8), np.ones((2, 2), np.uint8))


@pytest.fixture
def tiny(tmp_path):
    """Two images of one city each, 2 x 3, whose labels are 0 1 18 / 255 2 3."""
    for city in ('bonn', 'ulm'):
        image, label = tmp_path / f'leftImg8bit/val/{city}', tmp_path / f'gtFine/val/{city}'
        for folder in (image, label):
            folder.mkdir(parents=True)
        pixels = np.array([[0, 1, 18], [255, 2, 3]], np.uint8)
        cv2.imwrite(f'{image}/{city}_000000_000019_leftImg8bit.png', pixels)
        cv2.imwrite(f'{label}/{city}_000000_000019_gtFine_labelTrainIds.png', pixels)
    return tmp_path


def test_every_id_becomes_its_class_and_the_others_void():
    classes = CityscapesHalfDataset.METAINFO['classes']
    name_of = {index: name for name, index in ID_OF.items()}
    ids = np.arange(256, dtype=np.uint8)[None]
    wanted = [classes.index(name_of[i]) if i in name_of else 255 for i in range(256)]
    assert halve_mask(blocks(ids))[0].tolist() == wanted
    assert sorted(wanted)[:20] == [*range(19), 255]


def test_a_halved_image_holds_the_means_of_blocks():
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, :2] = [[[0, 8, 255]] * 2, [[4, 16, 255]] * 2]
    image[1, 3] = 100
    assert halve_image(image).tolist() == [[[2, 12, 255], [25, 25, 25]]]


def test_a_halved_label_holds_the_top_left_pixels_of_blocks():
    label = np.array([[7, 0, 8, 0], [33, 0, 0, 7]], np.uint8)
    assert halve_mask(label).tolist() == [[0, 1]]


def test_image_and_label_stay_aligned():
    """Where all four pixels of a block are of one class, its halves agree, at every place."""
    ids = blocks(np.random.default_rng(0).choice(list(ID_OF.values()), size=(9, 13)))
    image = halve_image(np.stack([ids] * 3, axis=-1))
    of_image = [list(ID_OF.values()).index(value) for value in image[..., 0].flat]
    assert halve_mask(ids).flatten().tolist() == of_image


def test_images_of_all_cities_come_with_their_labels(tiny):
    dataset = cityscapes(tiny, pipeline=[LoadImageFromFile(), LoadAnnotations()])
    assert [sample['img_path'].split('/')[-2] for sample in dataset] == ['bonn', 'ulm']
    assert dataset[1]['gt_seg_map'].tolist() == [[0, 1, 18], [255, 2, 3]]
    assert len(dataset.metainfo['classes']) == len(dataset.metainfo['palette']) == 19


def test_data_that_are_not_made_yet_say_how_to_make_them(tmp_path):
    with pytest.raises(DataLayoutError, match=r'(.|\n)*tools/halve_cityscapes.py THAT_FOLDER'):
        cityscapes(tmp_path / 'nowhere')


def test_an_image_without_a_label_is_named(tiny):
    label = next(tiny.glob('gtFine/val/ulm/*'))
    label.unlink()
    with pytest.raises(DataLayoutError, match=f'{label.name} does not exist .1 of 2 masks'):
        cityscapes(tiny)
