"""Every distillation on CamVid takes a training step; those on VOC 2012 find their taps."""

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from segkd_mm.config import list_configs, load_config
from segkd_mm.whole_image.samples import FIELD, WholeImage

SIZE = (64, 96)
KD = [name for name in list_configs() if name.startswith('kd/')]
# A teacher's cache is made first: tests/distill/test_cached_teacher.py.
CAMVID = [n for n in KD if n.endswith('_camvid.py') and '_cached_' not in n]
OTHER_PAIRS = ('_mnv3l_', '_dinov2_')
VOC = [n for n in KD if n.endswith('_voc.py') and not any(pair in n for pair in OTHER_PAIRS)]


def random_teacher(name, folder):
    """A file of random weights for the teacher of a config."""
    init_default_scope('mmseg')
    torch.manual_seed(7)
    model = MODELS.build(load_config(name).model.teacher.model)
    torch.save(model.state_dict(), folder / 'teacher.pth')
    return str(folder / 'teacher.pth')


@pytest.fixture(scope='module')
def camvid_teacher(tmp_path_factory):
    return random_teacher('kd/cwd_camvid.py', tmp_path_factory.mktemp('camvid'))


@pytest.fixture(scope='module')
def voc_teacher(tmp_path_factory):
    return random_teacher('kd/response_kd_voc.py', tmp_path_factory.mktemp('voc'))


def batch(num_classes):
    """Two random images, their classes in blocks of 16 pixels, some of them void."""
    blocks = torch.randint(0, num_classes, (2, 1, SIZE[0] // 16, SIZE[1] // 16))
    blocks[:, :, 0, 0] = 255
    labels = blocks.repeat_interleave(16, 2).repeat_interleave(16, 3)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=one)) for one in labels]
    images = torch.randint(0, 255, (2, 3, *SIZE), dtype=torch.uint8)
    for sample, image in zip(samples, images, strict=True):
        sample.set_metainfo(dict(img_shape=SIZE, ori_shape=SIZE))
        sample.set_data({FIELD: WholeImage(SIZE, np.eye(2, 3), image=image)})
    return dict(inputs=list(images), data_samples=samples)


def build(config, teacher):
    nested = config.model.teacher.get('teacher', config.model.teacher)
    nested.checkpoint = teacher
    config.model.student.data_preprocessor.size = SIZE
    config.model.student.backbone.weights = None
    torch.manual_seed(0)
    return MODELS.build(config.model).train()


@pytest.mark.slow
@pytest.mark.parametrize('name', CAMVID)
def test_a_distillation_on_camvid_takes_a_training_step(name, camvid_teacher):
    config = load_config(name)
    model = build(config, camvid_teacher)
    before = {key: value.clone() for key, value in model.named_parameters()}
    for term in model.terms.values():
        term.set_progress(0.5)  # past any warm-up
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    log = model.train_step(batch(config.num_classes), wrapper)
    for term in model.terms:
        assert log[f'terms.{term}.loss'].isfinite() and log[f'terms.{term}.loss'] > 0
    still = [key for key, value in model.named_parameters() if torch.equal(value, before[key])]
    assert still == []


def test_all_distillations_on_voc_find_their_taps_and_fit_their_channels(voc_teacher):
    terms = {f'{name[3:-3]}_{key}': term for name in VOC
             for key, term in load_config(name).model.terms.items()}  # fmt: skip
    config = load_config('kd/feature_kd_voc.py')
    config.model.terms = terms
    model = build(config, voc_teacher)
    assert set(model.terms) == set(terms)


def test_what_is_recommended_is_what_the_evidence_was_made_with():
    recommended = load_config('_base_/recommended/few_labels.py')
    model = load_config('few_labels/mnv3l_kl_voc7_1_8.py').model
    term = model.terms.logits
    assert recommended.view == model.teacher.view
    assert recommended.kl == {'student': term.student, 'loss': term.loss}
