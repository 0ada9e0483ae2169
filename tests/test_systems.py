"""The five systems that this toolbox reproduces: sizes, shapes, recipes, and a step of each."""

from itertools import pairwise
from math import ceil

import pytest
import torch
from counting import (
    aspp,
    conv_bn,
    dense,
    fcn,
    light_aspp,
    light_ocr,
    mobilenet_v2,
    mobilenet_v2_blocks,
    mobilenet_v3_large,
    mobilenet_v3_small,
    ocr,
    psp,
    resnet,
    resnet18,
    separable,
)
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import MODELS
from torch import nn
from torchvision.models.segmentation import fcn_resnet50

from segkd_mm.config import config_dir, list_configs, load_config, plain_student
from segkd_mm.datasets import ShapesDataset

pytestmark = pytest.mark.slow

MNV3S_ASPP = 'student/mnv3s_aspp_voc.py'
MNV3S_SLIM = 'student/mnv3s_slim_voc.py'
MNV3L = 'student/mnv3l_fcn_voc.py'
MNV3L_KD = [f'kd/{kind}_kd_mnv3l_{of}voc.py' for kind in ('response', 'feature')
            for of in ('', 'deeplab_')]  # fmt: skip
TRANSPOSED = 'student/mnv2_transposed_msrc_v2.py'
PLAIN = [name for name in list_configs() if name.startswith(('student/', 'teacher/'))]
PSP = [name for name in PLAIN if name.endswith(('_cityscapes.py', '_mnv2_camvid.py'))
       and 'deeplab' not in name]  # fmt: skip
CLASSES = {'voc': 21, 'msrc_v2': 23, 'cityscapes': 19, 'camvid': 11}

# Of each trunk at stride 8: its parameters, the channels of its end and of its third layer, the
# width of the heads on them, and of OCR's keys.
TRUNKS = {
    'r18': (resnet18(), 512, 256, 128, 64, 64),
    'r50': (resnet([3, 4, 6, 3]), 2048, 1024, 512, 256, 256),
    'r101': (resnet([3, 4, 23, 3]), 2048, 1024, 512, 256, 256),
    'mnv2': (mobilenet_v2_blocks(), 320, 96, 128, 64, 64),
    'mnv3l': (mobilenet_v3_large(), 960, 112, 128, 64, 64),
}


def pspnet(name: str) -> int:
    """Parameters of a config such as ``student/light_ocr_r18_cityscapes.py``."""
    context, trunk, dataset = name.removesuffix('.py').split('/')[1].rsplit('_', 2)
    classes = CLASSES[dataset]
    body, end, third, width, aux_width, keys = TRUNKS[trunk]
    module = {
        'psp': psp(end, width),
        'aspp': aspp(end, width, 3),
        'ocr': ocr(end, width, keys),
        'light_aspp': light_aspp(end, width, 3),
        'light_ocr': light_ocr(end, width, keys, classes),
    }[context]
    return body + module + dense(width, classes) + fcn(third, aux_width, classes)


def transposed(kernel: int) -> int:
    widths = [1280, 256, 128, 64, 32, 32]
    doubled = sum(conv_bn(i, o, kernel) for i, o in pairwise(widths))
    return mobilenet_v2() + doubled + dense(32, 23)


PARAMETERS = {
    MNV3S_ASPP: mobilenet_v3_small() + light_aspp(576, 256, 3) + conv_bn(16, 48, 1)
    + conv_bn(256 + 48, 256, 3) + conv_bn(256, 256, 3) + dense(256, 21),
    MNV3S_SLIM: mobilenet_v3_small() + light_aspp(576, 128, 2) + conv_bn(24, 32, 1)
    + conv_bn(16, 32, 1) + 2 * separable(128 + 32, 128) + dense(128, 21),
    **dict.fromkeys([MNV3L, *MNV3L_KD], mobilenet_v3_large() + conv_bn(960, 256, 1)
                    + conv_bn(256, 256, 3) + dense(256, 21)),
    TRANSPOSED: transposed(kernel=3),
    **{name: pspnet(name) for name in PSP},
}  # fmt: skip
STRIDES = {MNV3S_ASPP: 4, MNV3S_SLIM: 4, **dict.fromkeys([MNV3L, *MNV3L_KD], 16),
           **dict.fromkeys(PSP, 8)}  # fmt: skip


def test_the_stated_counts_are_those_of_the_layers():
    stated = {MNV3S_ASPP: 6_831_509, MNV3S_SLIM: 2_516_853, MNV3L: 3_813_957,
              TRANSPOSED: 5_571_063}  # fmt: skip
    assert {name: PARAMETERS[name] for name in stated} == stated
    assert transposed(kernel=2) < 5_000_000 < transposed(kernel=3)  # docs/systems.md


def test_the_page_of_the_systems_states_the_counts_of_what_is_deployed():
    page = (config_dir().parent / 'docs' / 'systems.md').read_text()
    for trunk, (*_, third, _, aux_width, _) in TRUNKS.items():
        counts = [pspnet(f'student/{context}_{trunk}_cityscapes.py') for context in
                  ('psp', 'aspp', 'ocr')]  # fmt: skip
        aux = fcn(third, aux_width, 19)  # of which OCR alone has need when it is deployed
        psp_count, aspp_count, ocr_count = counts[0] - aux, counts[1] - aux, counts[2]
        assert f'| {psp_count:,} | {aspp_count:,} | {ocr_count:,} |' in page


def test_the_grid_of_context_modules_is_whole():
    assert len(PSP) == 3 * 5 + 2 * 2 + 5  # PSP, ASPP, OCR by trunk; light ones; CamVid


@pytest.mark.parametrize('name', PARAMETERS)
def test_each_system_has_the_parameters_and_the_stride_that_were_counted(name):
    config = plain_student(load_config(name))
    with torch.device('meta'):  # shapes alone, without the work
        model = MODELS.build(config.model).eval()
        logits = model(torch.zeros(1, 3, 203, 260), mode='tensor')
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    if name == TRANSPOSED:
        assert logits.shape == (1, 23, 32 * 7, 32 * 9)
    else:
        size = [ceil(side / STRIDES[name]) for side in (203, 260)]
        assert logits.shape == (1, config.num_classes, *size)


def test_resnet_18_is_dilated_by_2_in_layer_3_and_by_4_in_layer_4():
    body = MODELS.build(load_config('student/psp_r18_cityscapes.py').model.backbone).body
    last = [getattr(body, layer)[1] for layer in ('layer2', 'layer3', 'layer4')]
    assert [block.conv1.dilation[0] for block in last] == [1, 2, 4]
    assert [block.conv2.dilation[0] for block in last] == [1, 2, 4]


def test_the_transposed_head_doubles_five_times():
    decoder = MODELS.build(load_config(TRANSPOSED).model).decode_head.decoder
    x = torch.randn(2, 1280, 3, 4)
    for step, channels in zip(decoder, (256, 128, 64, 32, 32), strict=True):
        height, width = x.shape[2:]
        x = step(x)
        assert x.shape == (2, channels, 2 * height, 2 * width)
        assert [type(part) for part in step] == [nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU]


def test_the_dilated_head_is_1x1_then_3x3_with_dilation_6_and_dropout():
    head = MODELS.build(load_config(MNV3L).model).decode_head
    convs = [step.conv for step in head.convs]
    assert [conv.kernel_size for conv in convs] == [(1, 1), (3, 3)]
    assert [conv.dilation for conv in convs] == [(1, 1), (6, 6)]
    assert head.dropout.p == 0.1


def test_low_mid_and_high_features_take_two_lines():
    model = MODELS.build(load_config(MNV3S_SLIM).model).eval()
    features = model.backbone.named_features(torch.randn(1, 3, 64, 96))
    shapes = {name: tuple(features[name].shape[1:]) for name in ('low', 'mid', 'high')}
    assert shapes == {'low': (16, 16, 24), 'mid': (24, 8, 12), 'high': (48, 4, 6)}


# Recipes, from the runner that tools/train.py builds.


@pytest.fixture(scope='session')
def fcn_file(tmp_path_factory):
    """A file in the format of torchvision's FCN-ResNet50."""
    path = tmp_path_factory.mktemp('weights') / 'fcn.pth'
    net = fcn_resnet50(weights=None, weights_backbone=None, num_classes=21, aux_loss=True)
    torch.save(net.state_dict(), path)
    return path


@pytest.fixture(scope='session')
def deeplab_file(tmp_path_factory):
    init_default_scope('mmseg')
    path = tmp_path_factory.mktemp('weights') / 'deeplab.pth'
    torch.save(MODELS.build(load_config('teacher/deeplabv3_mnv2_voc.py').model).state_dict(), path)
    return path


@pytest.fixture
def runner_of(shapes, fcn_file, deeplab_file, tmp_path, monkeypatch):
    """Build the runner of a config with everything but its data: small crops of drawn scenes."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))

    def make(name: str) -> Runner:
        config = load_config(name)
        names = tuple(f'class {index}' for index in range(config.num_classes))
        metainfo = {'classes': names, 'palette': [[index] * 3 for index in range(len(names))]}
        monkeypatch.setattr(ShapesDataset, 'METAINFO', metainfo)
        pictures = load_config('student/mnv3s_slim_shapes.py', {'data_root': str(shapes)})
        for loader in (config.train_dataloader, config.val_dataloader):
            loader.update(num_workers=0, persistent_workers=False)
        config.train_dataloader.dataset = pictures.train_dataloader.dataset
        config.train_dataloader.dataset.update(num_train=16, num_val=4)
        config.val_dataloader.dataset = pictures.val_dataloader.dataset
        config.val_dataloader.dataset.update(num_train=16, num_val=4)
        config.test_dataloader = config.test_evaluator = config.test_cfg = None
        plain = config.model.get('student', config.model)
        plain.data_preprocessor.size = pictures.crop_size
        if 'teacher' in config.model:
            deeplab = 'deeplab' in name
            config.model.teacher.checkpoint = str(deeplab_file if deeplab else fcn_file)
        config.log_level, config.work_dir = 'ERROR', str(tmp_path / 'run')
        return prepared(Runner.from_cfg(config))

    return make


def prepared(runner: Runner) -> Runner:
    """As ``runner.train()`` does before the first iteration, less the weights from the net."""
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    runner.call_hook('before_train')
    return runner


def step(runner: Runner) -> dict[str, torch.Tensor]:
    """One training step on two images."""
    batch = runner._train_loop.dataloader.collate_fn(
        [runner._train_loop.dataloader.dataset[i] for i in first_two(runner)]
    )
    runner.call_hook('before_train_epoch')
    runner.model.train()
    runner.call_hook('before_train_iter', batch_idx=0, data_batch=batch)
    return runner.model.train_step(batch, runner.optim_wrapper)


def first_two(runner: Runner) -> list:
    return list(runner._train_loop.dataloader.sampler)[:2]


def hook(runner: Runner, name: str):
    (found,) = [one for one in runner.hooks if type(one).__name__ == name]
    return found


def recipe(runner: Runner) -> dict:
    """What the built runner will do."""
    optimizer = runner.optim_wrapper.optimizer
    (scheduler,) = runner.param_schedulers
    group = optimizer.param_groups[0]
    return {
        'optimizer': type(optimizer).__name__,
        **{key: group[key] for key in ('lr', 'weight_decay', 'momentum') if key in group},
        'scheduler': type(scheduler).__name__,
        'epochs': runner.max_epochs,
        'batch': runner._train_loop.dataloader.batch_size,
        'best': hook(runner, 'WholeCheckpointHook').save_best[0],
    }


PLATEAU_VOC = {
    'optimizer': 'Adam', 'lr': 1e-4, 'weight_decay': 1e-5, 'scheduler': 'ReduceOnPlateauLR',
    'epochs': 50, 'batch': 16, 'best': 'mIoU',
}  # fmt: skip
PLATEAU_MSRC = {**PLATEAU_VOC, 'lr': 1e-3, 'weight_decay': 0, 'batch': 8, 'best': 'aAcc'}
SGD_POLY = {
    'optimizer': 'SGD', 'lr': 0.01, 'weight_decay': 5e-4, 'momentum': 0.9, 'scheduler': 'PolyLR',
    'epochs': 50, 'batch': 8, 'best': 'mIoU',
}  # fmt: skip
RECIPES = {
    **dict.fromkeys([MNV3S_ASPP, MNV3S_SLIM, MNV3L, *MNV3L_KD], PLATEAU_VOC),
    TRANSPOSED: PLATEAU_MSRC,
    **dict.fromkeys(PSP, SGD_POLY),
}


# One of each kind takes a step; the others have the same schedule in their configs.
TRAINED = [MNV3S_ASPP, MNV3S_SLIM, MNV3L, TRANSPOSED, 'student/psp_mnv2_cityscapes.py',
           'student/light_ocr_mnv2_camvid.py']  # fmt: skip
SCHEDULE = 'optim_wrapper', 'param_scheduler', 'train_cfg', 'val_cfg', 'default_hooks'


@pytest.mark.parametrize('name', RECIPES)
def test_configs_of_one_recipe_have_the_same_schedule(name):
    config = load_config(name)
    trained = load_config(next(one for one in TRAINED if RECIPES[one] is RECIPES[name]))
    assert {key: config[key] for key in SCHEDULE} == {key: trained[key] for key in SCHEDULE}
    assert config.train_dataloader.batch_size == RECIPES[name]['batch']


@pytest.mark.parametrize('name', TRAINED)
def test_each_system_trains_by_its_recipe(name, runner_of):
    runner = runner_of(name)
    assert recipe(runner) == RECIPES[name]
    (scheduler,) = runner.param_schedulers
    if recipe(runner)['scheduler'] == 'ReduceOnPlateauLR':
        assert (scheduler.factor, scheduler.patience, scheduler.rule) == (0.5, 5, 'greater')
        assert scheduler.monitor == RECIPES[name]['best']
        assert hook(runner, 'WholeCheckpointHook').interval == 5
    else:
        assert scheduler.power == 0.9
    model = runner.model
    before = {key: value.clone() for key, value in model.named_parameters()}
    losses = step(runner)
    assert all(torch.isfinite(value) for value in losses.values())
    moved = {key for key, value in model.named_parameters() if not torch.equal(value, before[key])}
    frozen = {key for key, value in model.named_parameters() if not value.requires_grad}
    assert moved.isdisjoint(frozen)
    assert len(moved) > 0.9 * (len(before) - len(frozen))


def test_the_void_of_the_labels_does_not_count_in_any_system(runner_of):
    for name in (MNV3L, TRANSPOSED, 'student/ocr_r18_cityscapes.py'):
        runner = runner_of(name)
        batch = runner._train_loop.dataloader.collate_fn(
            [runner._train_loop.dataloader.dataset[i] for i in first_two(runner)]
        )
        for sample in batch['data_samples']:
            sample.gt_sem_seg.data.fill_(255)
        data = runner.model.data_preprocessor(batch, True)
        losses = runner.model.eval().loss(**data)
        assert [v.item() for k, v in losses.items() if 'loss' in k] == pytest.approx([0] * (
            2 if 'ocr' in name else 1))  # fmt: skip


@pytest.mark.parametrize('name', [MNV3L, *MNV3L_KD])
def test_system_2_weighs_its_classes_and_its_terms(name, runner_of):
    runner = runner_of(name)
    student = getattr(runner.model, 'student', runner.model)
    loss = student.decode_head.loss_decode
    assert len(loss.class_weight) == 21
    assert len(set(loss.class_weight)) > 1
    assert loss.loss_weight == (0.5 if 'response' in name else 1.0)
    terms = getattr(runner.model, 'terms', {})
    weights = {key: term.loss.loss_weight for key, term in terms.items()}
    if 'response' in name:
        assert weights == {'logits': 0.5}
        assert terms['logits'].loss.temperature == 2.0
    elif 'feature' in name:
        assert weights == {'mid': 0.1, 'high': 0.1, 'final': 0.5}
        assert all(isinstance(term.adapter, nn.Conv2d) for term in terms.values())


def test_system_3_freezes_50_tensors_and_keeps_their_statistics(runner_of):
    runner = runner_of(TRANSPOSED)
    parameters = list(runner.model.parameters())
    assert [p.requires_grad for p in parameters] == [False] * 50 + [True] * (len(parameters) - 50)
    before = runner.model.backbone.body[0][1].running_mean.clone()
    step(runner)
    assert torch.equal(runner.model.backbone.body[0][1].running_mean, before)
    assert runner.model.backbone.body[18][1].running_mean.any()  # of a norm that is not frozen


@pytest.mark.parametrize('name', PSP)
def test_auxiliary_losses_come_from_the_third_layer(name):
    model = load_config(name).model
    aux = model.auxiliary_head or model.decode_head[0]  # OCR's soft regions are the auxiliary head
    with torch.device('meta'):
        backbone = MODELS.build({**model.backbone, 'weights': None})
    assert backbone.taps[aux.in_index].name == 'high'
    assert aux.in_channels == backbone.channels[aux.in_index]
    assert aux.loss_decode.loss_weight == 0.4
    assert backbone.strides == (8, 8)
    assert Config.fromfile(load_config(name).filename).num_classes == aux.num_classes
