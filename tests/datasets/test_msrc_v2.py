import os
from collections import defaultdict
from hashlib import sha256
from itertools import chain

import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmseg.datasets.transforms import LoadAnnotations

from segkd_mm.datasets import MSRCv2Dataset, MSRCv2ObjectsDataset
from segkd_mm.datasets.msrc_v2 import SPLITS

SIZES = {'train': 276, 'val': 59, 'test': 256}


def names(split):
    return (SPLITS / f'{split}.txt').read_text().split()


def msrc(real_data, split, kind=MSRCv2Dataset, **kwargs):
    prefix = {'img_path': 'JPEGImages', 'seg_map_path': 'SegmentationClass'}
    return kind(split, data_root=f'{real_data}/msrc_v2', data_prefix=prefix, **kwargs)


def by_scene(images):
    scenes = defaultdict(list)
    for name in sorted(images, key=lambda name: sha256(name.encode()).hexdigest()):
        scenes[int(name.split('_')[0])].append(name)
    return scenes


def largest_remainders(scenes, total):
    every = sum(map(len, scenes.values()))
    quotas = {scene: divmod(len(images) * total, every) for scene, images in scenes.items()}
    left = total - sum(whole for whole, _ in quotas.values())
    up = sorted(quotas, key=lambda scene: (-quotas[scene][1], scene))[:left]
    return {scene: whole + (scene in up) for scene, (whole, _) in quotas.items()}


def test_splits_have_their_sizes_and_do_not_meet():
    assert {split: len(names(split)) for split in SIZES} == SIZES
    assert len({name for split in SIZES for name in names(split)}) == 591


def test_splits_follow_their_rule():
    scenes = by_scene(chain.from_iterable(map(names, SIZES)))
    train, val = largest_remainders(scenes, 276), largest_remainders(scenes, 59)
    for scene, images in scenes.items():
        first, second = train[scene], train[scene] + val[scene]
        assert set(images[:first]) <= set(names('train'))
        assert set(images[first:second]) <= set(names('val'))
        assert set(images[second:]) <= set(names('test'))
    labelled, scenes = names('labelled_1_8'), by_scene(names('train'))
    assert len(labelled) == 276 // 8
    for scene, number in largest_remainders(scenes, 276 // 8).items():
        assert set(scenes[scene][:number]) <= set(labelled)
    assert {*labelled, *names('unlabelled_1_8')} == {*names('train')}
    assert not {*labelled} & {*names('unlabelled_1_8')}


def test_an_unknown_split_is_an_error():
    with pytest.raises(ValueError, match=r"'trainval', expected one of \['labelled_1_8', 'test"):
        MSRCv2Dataset('trainval')


def test_splits_cover_the_data(real_data):
    images = {file[:-4] for file in os.listdir(f'{real_data}/msrc_v2/JPEGImages')}
    assert images == {name for split in SIZES for name in names(split)}
    assert {split: len(msrc(real_data, split)) for split in SIZES} == SIZES


def test_classes_are_those_of_the_data_in_their_order(real_data):
    with open(f'{real_data}/msrc_v2/classes.txt') as file:
        assert MSRCv2Dataset.METAINFO['classes'] == tuple(file.read().split())


def test_a_class_subset_sends_the_rest_to_void(real_data):
    classes = [name for name in MSRCv2Dataset.METAINFO['classes'] if name != 'grass']
    pipeline = [LoadImageFromFile(), LoadAnnotations()]
    sample = msrc(real_data, 'train', metainfo={'classes': classes}, pipeline=pipeline)[4]
    assert sample['img_path'].endswith('1_12_s.jpg')
    # 54019 pixels are grass (1), 13894 cow (3, now 2), 247 void.
    values, counts = np.unique(sample['gt_seg_map'], return_counts=True)
    assert dict(zip(values, counts, strict=True)) == {2: 13894, 255: 54019 + 247}


def test_objects_are_classes_of_voc_and_the_rest_is_background(real_data):
    pipeline = [LoadImageFromFile(), LoadAnnotations()]
    data = msrc(real_data, 'train', kind=MSRCv2ObjectsDataset, pipeline=pipeline)
    # Of the sample above 54019 pixels are grass, here background, and 13894 cow, the ninth class.
    values, counts = np.unique(data[4]['gt_seg_map'], return_counts=True)
    assert dict(zip(values, counts, strict=True)) == {0: 54019, 8: 13894, 255: 247}
    assert data.metainfo['classes'][8] == 'cow'


def test_each_class_of_msrc_has_its_object():
    names, objects = MSRCv2Dataset.METAINFO['classes'], MSRCv2ObjectsDataset.METAINFO['classes']
    index = MSRCv2ObjectsDataset.get_label_map(objects)
    found = {names[i]: objects[j] for i, j in index.items() if j not in (0, 255)}
    alike = ['aeroplane', 'bicycle', 'bird', 'boat', 'car', 'cat', 'chair', 'cow', 'dog', 'sheep']
    assert found == {**{name: name for name in alike}, 'face': 'person', 'body': 'person'}
    assert [names[i] for i, j in index.items() if j == 255] == ['horse']
    with pytest.raises(ValueError, match=r"has the classes \['cow'\], expected \('background'"):
        MSRCv2ObjectsDataset.get_label_map(['cow'])
