import shutil

import numpy as np
import pytest
from mmcv.image import imwrite

from segkd_mm.doctor import Experiment, check_cost, check_data
from segkd_mm.doctor.data import _balance_findings
from segkd_mm.evenly_spaced import evenly_spaced


def found(report, level):
    return [finding.text for finding in report.findings if finding.level == level]


def test_indices_are_spread_evenly_and_none_comes_twice():
    assert evenly_spaced(10, 5) == [0, 2, 4, 6, 8]
    assert evenly_spaced(10, 4) == [0, 2, 5, 7]
    assert evenly_spaced(3, 20) == [0, 1, 2]


def test_the_shares_are_those_of_the_masks(tiny):
    config = tiny('student/mnv3s_slim_shapes.py')
    experiment = Experiment(config)
    report = check_data(experiment)
    dataset = experiment.dataset('val')
    masks = [dataset[index]['data_samples'].gt_sem_seg.data for index in range(len(dataset))]
    pixels = np.bincount(np.concatenate([mask.flatten() for mask in masks]), minlength=256)
    classes = dataset.metainfo['classes']
    assert [row['class'] for row in report.rows] == list(classes)
    shares = 100 * pixels[: len(classes)] / pixels[: len(classes)].sum()
    assert [row['val, %'] for row in report.rows] == pytest.approx(shares)
    assert sum(row['train, %'] for row in report.rows) == pytest.approx(100)
    assert found(report, 'error') == []
    assert found(report, 'ok')[0].startswith('train: 16 images, 16 checked; ')


@pytest.fixture
def masked(tmp_path, tiny):
    """An experiment on one image and mask of 4 x 6 pixels."""

    def make(mask):
        imwrite(np.zeros((4, 6, 3), np.uint8), str(tmp_path / 'images' / 'a.png'))
        imwrite(np.array(mask, np.uint8), str(tmp_path / 'masks' / 'a.png'))
        config = tiny('student/mnv3s_slim_shapes.py')
        for loader in (config.train_dataloader, config.val_dataloader):
            loader.dataset = dict(
                type='BaseSegDataset', data_root=str(tmp_path), img_suffix='.png', pipeline=[],
                data_prefix=dict(img_path='images', seg_map_path='masks'),
                metainfo=dict(classes=('sky', 'road', 'car')),
            )  # fmt: skip
            loader.sampler.type = 'DefaultSampler'
        config.model.decode_head.num_classes = 3
        return Experiment(config)

    return make


def test_shares_void_and_what_is_nowhere_by_hand(masked):
    report = check_data(masked([[0] * 6, [0] * 6, [0] * 3 + [1] * 3, [255] * 6]))
    assert [row['train, %'] for row in report.rows] == pytest.approx([100 * 15 / 18, 100 / 6, 0])
    assert 'train: 1 images, 1 checked; 25.0 % of the pixels are void.' in found(report, 'ok')
    assert found(report, 'note') == ['In no checked mask: car.']


def test_a_faulty_file_is_an_error_said_once_and_listed(masked):
    report = check_data(masked([[0, 1, 2, 3, 128, 255]] * 4))
    errors = found(report, 'error')
    assert len(errors) == 2  # train and val are the same file here
    assert 'masks/a.png: found the ids 3 (4 pixels), 128 (4 pixels), expected 0 to 2' in errors[0]
    assert [(row['split'], row['file'][-11:]) for row in report.files] == [
        ('train', 'masks/a.png'),
        ('val', 'masks/a.png'),
    ]


def test_a_mask_of_another_size_is_an_error(masked):
    (error, _) = found(check_data(masked([[0, 1]] * 4)), 'error')
    assert 'masks/a.png: found 2 x 4 pixels, expected 6 x 4 pixels as its image' in error


def test_like_faults_are_one_finding(shapes, tmp_path, tiny):
    shutil.copytree(shapes, tmp_path / 'shapes')
    masks = sorted((tmp_path / 'shapes' / 'SegmentationClass').glob('train*'))[:3]
    for mask in masks[:2]:
        imwrite(np.full((160, 160, 3), (1, 2, 3), np.uint8), str(mask))
    imwrite(np.zeros((5, 5), np.uint8), str(masks[2]))
    config = tiny('student/mnv3s_slim_shapes.py')
    config.train_dataloader.dataset.data_root = str(tmp_path / 'shapes')
    report = check_data(Experiment(config), None)
    colours, size = found(report, 'error')
    assert colours.startswith('train: 2 of 16 samples are like this one: ')
    assert 'found 5 x 5 pixels' in size
    assert len(report.files) == 3


def test_images_without_labels_are_an_error_without_a_teacher(tiny, shapes):
    config = tiny('student/mnv3s_slim_shapes.py')
    labelled, images = config.train_dataloader.dataset, str(shapes / 'JPEGImages')
    config.train_dataloader.dataset = dict(type='WithUnlabelled', labelled=labelled, images=images)
    experiment = Experiment(config)
    (error,) = found(check_data(experiment, 1), 'error')
    assert error.startswith('20 training images have no labels, such as ')
    assert 'trained' in check_cost(experiment, repeats=1).rows[0]  # and is no second error


def test_a_data_set_without_a_list_of_classes_is_named(tiny):
    experiment = Experiment(tiny('student/mnv3s_slim_shapes.py'))
    del experiment.dataset('val')._metainfo['classes']
    with pytest.raises(ValueError, match='data set of val, ShapesDataset, has no list of classes'):
        check_data(experiment, 1)


def test_a_model_of_other_classes_is_an_error(tiny):
    config = tiny('student/mnv3s_slim_shapes.py', **{'model.decode_head.num_classes': 9})
    (error,) = found(check_data(Experiment(config), 1), 'error')
    assert error.startswith('EncoderDecoder has num_classes=9, but the data set has 8 classes: ')


def test_classes_are_told_apart_by_where_they_are():
    rows = [
        {'class': name, 'train, %': train, 'val, %': val}
        for name, train, val in [('a', 99.9, 98), ('b', 0.05, 1), ('c', 0, 1), ('d', 0, 0)]
    ]
    assert [(f.level, f.text) for f in _balance_findings(rows)] == [
        ('warning', 'In val, but in no checked training mask, so not learned: c.'),
        ('note', 'In no checked mask: d.'),
        ('note', 'Below 0.1 % of the training pixels, so that IoU is noisy: b.'),
    ]
