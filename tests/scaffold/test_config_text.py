"""The length of the written config, and that each kind of it is one."""

from collections import Counter

import pytest

from segkd_mm.config import load_config
from segkd_mm.scaffold import Survey, choose_recipe, choose_teacher, classes_of, match_names
from segkd_mm.scaffold.config_text import Plan, config_text

NAMES = ['sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign symbol', 'fence', 'car',
         'pedestrian', 'bicyclist']  # fmt: skip
OF_VOC = {'car': ['car'], 'pedestrian': ['person'], 'bicyclist': ['bicycle', 'person']}


def plan(entries, values, student='mnv3s_slim', mapping=None, **more):
    found = Survey(
        images='data/images', masks='data/masks', is_mixed=False, by_folders=False, seed=3,
        num_train=48, num_val=12, num_unlabelled=30, sizes=[(2048, 1024)],
        values=Counter(dict.fromkeys(values, 9)),
    )  # fmt: skip
    classes = classes_of(entries, found)
    recipe = choose_recipe(found, [1, 100], 'cpu')
    if mapping is not None:
        teacher = choose_teacher('torchvision://fcn_resnet50')
        more |= {
            'teacher': teacher, 'mapping': match_names(classes.names, teacher.classes, mapping),
            'unlabelled': 'data/more',
        }  # fmt: skip
    return Plan('roads', student, found, classes, recipe, **more)


def read(tmp_path, made):
    text = config_text(made)
    assert len(text.splitlines()) <= 45, text
    assert max(map(len, text.splitlines())) <= 100, text
    (tmp_path / 'roads.py').write_text(text)
    return load_config(tmp_path / 'roads.py')


def test_a_plain_student_on_ids(tmp_path):
    config = read(tmp_path, plan(NAMES, range(11)))
    assert config.model.decode_head.num_classes == 11
    assert config.model.data_preprocessor.size == (256, 256)
    assert config.model.decode_head.loss_decode == {'type': 'LabelledCrossEntropyLoss'}
    assert [step.type for step in config.test_dataloader.dataset.pipeline] == [
        'LoadImageFromFile', 'Resize', 'LoadCheckedAnnotations', 'PackSegInputs',
    ]  # fmt: skip
    assert config.param_scheduler.end == config.train_cfg.max_epochs == 178
    assert config.custom_hooks[-1].type == 'ClassWeightHook'


def test_a_distilled_student_of_eleven_classes(tmp_path):
    mapping = {name: OF_VOC.get(name, []) for name in NAMES}
    config = read(tmp_path, plan(NAMES, range(11), 'lite0_slim', mapping))
    kl = config.model.terms.kl
    assert kl.classes.student == NAMES
    assert kl.classes.mapping.bicyclist == ['bicycle', 'person']
    assert kl.classes.mapping['sign symbol'] == []
    assert config.model.student.data_preprocessor.mean == [127.5] * 3
    loader = config.train_dataloader
    assert (loader.sampler.type, loader.dataset.type) == (
        'FewLabelsEpochSampler', 'WithTeacherCache',
    )  # fmt: skip
    assert loader.dataset.dataset.type == 'WithUnlabelled'


@pytest.mark.parametrize('mapping', [None, {'road': [], 'car': ['car', 'bus'], 'other': ['sofa']}])
def test_many_colours_of_few_classes(tmp_path, mapping):
    names = ['road', 'car', 'person', 'other']
    colours = [(100 + i, i, i) for i in range(24)]
    entries = [f'{names[i % 4]}={r},{g},{b}' for i, (r, g, b) in enumerate(colours)]
    config = read(tmp_path, plan(entries, colours, mapping=mapping))
    data = config.val_dataloader.dataset
    assert data.classes == names
    assert data.colors.car[:2] == [(101, 1, 1), (105, 5, 5)]
