"""The lists of VOC in seven classes, and data whose labels are not read."""

from hashlib import sha256

import pytest
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS

from segkd_mm.config import load_config
from segkd_mm.datasets import ReplayIndex, VOC7Dataset
from segkd_mm.datasets.voc_7 import SPLITS
from segkd_mm.labels import UNLABELLED, VOID

SIZES = {'1_16': 81, '1_8': 162, '1_4': 325}


def names(split):
    return (SPLITS / f'{split}.txt').read_text().split()


@pytest.mark.parametrize('share', SIZES)
def test_lists_follow_their_rule(share):
    labelled, unlabelled = names(f'labelled_{share}'), names(f'unlabelled_{share}')
    every = {*labelled, *unlabelled}
    assert len(labelled) + len(unlabelled) == len(every) == 1300
    free = sorted(every - {*names('held_out')}, key=lambda n: sha256(n.encode()).hexdigest())
    assert sorted(free) == names('labelled_all') and len(free) == 1084
    assert labelled == sorted(free[: SIZES[share]])


def test_settings_are_chosen_on_images_that_no_student_sees():
    tuning, held_out = names('unlabelled_1_8_tuning'), names('held_out')
    assert {*tuning} == {*names('unlabelled_1_8')} - {*held_out} and len(tuning) == 922


def test_an_unknown_split_is_an_error():
    with pytest.raises(ValueError, match=r"split is '1_8', expected one of \['held_out', 'labell"):
        VOC7Dataset('1_8')


def test_labels_of_a_data_set_without_them_are_not_read(real_data):
    config = load_config(
        'few_labels/mnv3l_plain_voc7_1_8.py', {'data_root': f'{real_data}/voc/VOC2012'}
    )
    init_default_scope('mmseg')
    dataset = DATASETS.build(dict(type='WithoutLabels', dataset=config.unlabelled))
    ids = {
        int(one)
        for number in range(4)
        for one in dataset[ReplayIndex(number, (0, 0, number))]['data_samples']
        .gt_sem_seg.data.unique()
    }  # fmt: skip
    assert len(dataset) == 1138 and UNLABELLED in ids <= {UNLABELLED, VOID}
