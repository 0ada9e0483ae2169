"""The Python blocks of guides run in order, with small stand-ins for files and downloads."""

import re
from copy import deepcopy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from segkd_mm.config import load_config
from segkd_mm.distill import Taps, teacher
from segkd_mm.distill.term import Term

DOCS = Path(__file__).parents[1] / 'docs'
TINY_SEGFORMER = {'model_type': 'segformer', 'depths': [1] * 4, 'hidden_sizes': [8, 8, 16, 16],
                  'num_attention_heads': [1] * 4, 'decoder_hidden_size': 16}  # fmt: skip
TINY_MMSEG = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3),
    backbone=dict(type='ResNet', depth=18, stem_channels=8, base_channels=8,
                  norm_cfg=dict(type='BN')),
    decode_head=dict(type='FCNHead', in_channels=64, channels=8, num_classes=21,
                     norm_cfg=dict(type='BN')),
)  # fmt: skip


def blocks(page):
    return re.findall(r'^```python\n(.*?)^```', (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def run(text, namespace):
    exec(compile(text, 'guide', 'exec'), namespace)
    return namespace


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    """What a guide writes and registers is gone after it."""
    monkeypatch.chdir(tmp_path)
    yield
    for name in ('MySegmentor', 'MyTeacher', 'TotalVariationLoss'):
        MODELS.module_dict.pop(name, None)


def batch(num_classes):
    labels = torch.randint(0, num_classes, (2, 1, 64, 64))
    samples = [SegDataSample(gt_sem_seg=PixelData(data=one)) for one in labels]
    return torch.randn(2, 3, 64, 64), samples


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """Small models at the names in docs/teachers.md; downloaded weights are random ones."""
    torch.save(MODELS.build(TINY_MMSEG).state_dict(), 'segformer_b2.pth')
    for name in ('big', 'small'):
        (tmp_path / f'{name}.pth').symlink_to('segformer_b2.pth')
    Path('path/to').mkdir(parents=True)
    for file in ('path/to/mmseg_config.py', 'big_config.py', 'small_config.py'):
        Path(file).write_text(f'model = {TINY_MMSEG}')
    net = MODELS.build(dict(type='TransformersSegmentor', name=TINY_SEGFORMER)).net
    net.save_pretrained('nvidia/segformer-b2-finetuned-cityscapes-1024-1024')
    net.save_pretrained('segformer_b2')
    read, load = teacher.read_state_dict, teacher.load_strictly

    def read_file(source, trusted):
        return None if '://' in source or source == 'model.pth' else read(source, trusted)

    def load_file(model, state, *args, **options):
        if state is not None:
            load(model, state, *args, **options)

    monkeypatch.setattr(teacher, 'read_state_dict', read_file)
    monkeypatch.setattr(teacher, 'load_strictly', load_file)


@pytest.mark.slow
def test_the_teachers_of_the_guide_are_built_and_have_their_taps(stand_ins, capsys):
    pytest.importorskip('transformers')
    pytest.importorskip('segmentation_models_pytorch')
    (mmseg, torchvision, hub, smp, timm, own, own_config, taps, options, several, offline) = blocks(
        'teachers.md'
    )
    for text, names in (
        (mmseg, ['decode_head.conv_seg']),
        (torchvision, ['classifier', 'backbone.layer1', 'backbone.layer4']),
        (hub, ['logits', 'net.segformer.stages.0', 'net.decode_head.activation']),
        (smp, ['logits', 'net.encoder.layer1', 'net.encoder.layer4', 'net.decoder']),
        (timm + options, ['backbone.low', 'backbone.mid', 'backbone.high', 'backbone.final']),
        (offline, ['logits']),
    ):
        config = run(text, {})['teacher']
        assert config.pop('compile', True)  # it takes minutes
        assert Taps(MODELS.build(config).model, names)
    namespace = run(own, {'__name__': 'my_models'})
    torch.save(namespace['MySegmentor'](num_classes=4).net.state_dict(), 'my_model.pth')
    mine = MODELS.build(run(own_config, namespace)['teacher'])
    mine.prepare(['logits', 'net.1'], mine.model.data_preprocessor)
    assert mine(torch.zeros(1, 3, 64, 64))['logits'].shape == (1, 4, 8, 8)
    run(taps, {})
    assert 'backbone.final (1, 384, 16, 16)' in capsys.readouterr().out
    namespace = run(several, {})
    student = load_config('_base_/students/mnv3s_nano.py').student
    student.backbone.weights = None
    parts = {name: namespace[name] for name in ('teacher', 'terms')}
    losses = MODELS.build(dict(type='SegDistiller', student=student, **parts)).loss(*batch(21))
    assert {name for name in losses if 'terms' in name} == {
        'terms.logits.loss', 'terms.high.loss',
    }  # fmt: skip


def test_the_loss_of_the_guide_passes_its_checks_and_makes_a_term():
    loss, check, config, teacher_of_whole_taps = blocks('extending.md')
    namespace = run(teacher_of_whole_taps, run(config, run(check, run(loss, {'__name__': 'mine'}))))
    assert MODELS.get('MyTeacher') is namespace['MyTeacher']
    maps = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    (name, options), tap = *namespace['terms'].items(), 'decode_head.conv_seg'
    term = Term(name, trial=(maps[0], {tap: maps[1]}), **options)
    distances = (maps[0].softmax(1) - maps[1].softmax(1)).abs().sum(1) / 2
    torch.testing.assert_close(term(maps[0], {tap: maps[1]}, None), distances.mean())


@pytest.mark.slow
def test_the_translated_config_of_mmrazor_has_its_models_recipe_and_losses():
    theirs, ours = blocks('from_mmrazor.md')
    theirs = run(theirs, {})
    Path('cwd_pspnet.py').write_text(ours)
    config = load_config('cwd_pspnet.py')
    assert config.model.teacher.model == theirs['teacher_cfg_path']
    assert config.model.teacher.checkpoint == theirs['teacher_ckpt']
    assert teacher.model_config(theirs['teacher_cfg_path']).backbone.depth == 101
    assert (config.model.student.backbone.depth, config.train_cfg.max_iters) == (18, 80_000)
    # In the place of a ResNet-101, which takes seconds to build.
    config.model.teacher.model = theirs['student_cfg_path']
    torch.save(MODELS.build(deepcopy(config.model.student)).state_dict(), 'teacher.pth')
    config.model.teacher.checkpoint = 'teacher.pth'
    losses = MODELS.build(config.model).loss(*batch(19))
    assert losses['terms.cwd.loss'] > 0


def sum_kl(student, teacher, dim):
    p, log_q = teacher.softmax(dim), student.log_softmax(dim)
    return (p * (p.log() - log_q)).sum()


def test_weights_of_mmrazor_become_ours_by_the_table_of_the_guide():
    n, c, h, w = 2, 5, 4, 6
    student, teacher = torch.randn(2, n, c, h, w, dtype=torch.float64)
    flat = [x.flatten(2) for x in (student, teacher)]
    energy = [F.normalize(x.square().mean(1).flatten(1)) for x in (student, teacher)]
    batchmean = 4 * sum_kl(student / 2, teacher / 2, 1) / n
    for kind, options, weight, theirs in (
        ('ChannelWiseLoss', dict(temperature=1.0), 1, sum_kl(*flat, 2) / (n * c)),
        ('PixelKLLoss', dict(temperature=2.0), h * w, batchmean),
        ('PixelKLLoss', dict(temperature=2.0), 1 / c, batchmean / (c * h * w)),
        ('AttentionTransferLoss', {}, 1 / (h * w), (energy[0] - energy[1]).square().mean()),
        ('FitNetLoss', {}, 1, (student - teacher).square().mean()),
    ):
        loss = MODELS.build(dict(type=kind, loss_weight=weight, **options))
        assert loss(student, teacher).item() == pytest.approx(theirs.item(), rel=1e-4), kind
