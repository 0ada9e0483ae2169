"""The laws of the design that need a distiller; law 4 (the losses) is held in tests/losses."""

from copy import deepcopy
from uuid import uuid4

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmengine.runner.checkpoint import load_checkpoint
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample

from segkd_mm.build_hints import BuildError
from segkd_mm.config import load_config, plain_student
from segkd_mm.distill import TapError
from segkd_mm.evaluation.test_time_augmentation import with_augmentation
from segkd_mm.labels import UNLABELLED
from segkd_mm.weights import load_strictly, read_state_dict

FEATURE = {
    'student': 'backbone.high',
    'teacher': 'backbone.final',
    'adapter': 'auto',
    'loss': {'type': 'CosineFeatureLoss', 'loss_weight': 0.5},
}

STATEFUL = {
    'generated': {
        'student': 'backbone.high',
        'teacher': 'backbone.high',
        'loss': {'type': 'MGDLoss', 'channels': 'auto'},
    },
    'memory': {
        'student': 'backbone.high',
        'teacher': 'backbone.high',
        'loss': {
            'type': 'CIRKDMemoryLoss', 'num_classes': 8, 'channels': 'auto',
            'pixels': 40, 'regions': 10, 'pixel_keys': 80, 'region_keys': 40,
        },
    },
}  # fmt: skip


def with_feature_term(config: Config) -> Config:
    """The config with a second term which has an adapter."""
    config.model.terms.feature = deepcopy(FEATURE)
    return config


def with_stateful_terms(config: Config) -> Config:
    """The config with terms whose losses have parameters and queues."""
    config.model.terms.update(deepcopy(STATEFUL))
    return config


def train(config: Config) -> Runner:
    runner = Runner.from_cfg(config)
    runner.train()
    return runner


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    different = [key for key in a if not torch.equal(a[key], b[key])]
    assert not different


def batch(model: torch.nn.Module, label: int = 1) -> dict:
    """Two images in the raw, as a data loader gives them."""
    sample = SegDataSample(metainfo={'img_shape': (64, 64), 'ori_shape': (64, 64)})
    sample.gt_sem_seg = PixelData(data=torch.full((1, 64, 64), label))
    images = torch.randint(0, 255, (2, 3, 64, 64), dtype=torch.uint8)
    return {'inputs': list(images), 'data_samples': [sample, deepcopy(sample)]}


@pytest.fixture
def build(tiny):
    return lambda: MODELS.build(with_feature_term(tiny('kd/response_kd_shapes.py')).model)


# Law 1: a KD checkpoint is a student checkpoint.


@pytest.mark.slow
def test_law_1_the_plain_student_loads_the_checkpoint_and_has_the_same_miou(tiny):
    config = with_feature_term(tiny('kd/response_kd_shapes.py'))
    trained = train(config)
    validated = trained.message_hub.get_scalar('val/mIoU').current()
    state = read_state_dict(f'{config.work_dir}/epoch_2.pth')

    plain = plain_student(config)
    plain.experiment_name += '_plain'
    runner = Runner.from_cfg(plain)
    own = runner.model.state_dict().keys()
    assert {key for key in state if not key.startswith('terms.')} == set(own)
    assert {key for key in state if key.startswith('terms.')} == {
        'terms.feature.adapter.weight',
        'terms.feature.adapter.bias',
    }
    load_strictly(runner.model, state, 'epoch_2.pth', ignore=['terms.'])
    assert runner.test()['mIoU'] == validated


def test_law_1_the_distiller_loads_its_own_and_the_plain_students_weights(build):
    model = build()
    own, plain = model.state_dict(), model.student.state_dict()
    assert own.keys() == plain.keys() | {
        'terms.feature.adapter.weight',
        'terms.feature.adapter.bias',
    }
    for state in (own, plain):
        fresh = build()
        fresh.load_state_dict(state, strict=state is own)
        assert_same(fresh.student.state_dict(), plain)


def test_law_1_mmengines_loader_fits_both_ways(build, tmp_path):
    model = build()
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, tmp_path / 'kd.pth')
    for fresh in (build(), build().student):
        load_checkpoint(fresh, str(tmp_path / 'kd.pth'), strict=False)
        student = getattr(fresh, 'student', fresh)
        assert_same(student.state_dict(), model.student.state_dict())


# Law 2: KD off is plain training.


@pytest.mark.slow
def test_law_2_kd_off_is_plain_training_to_the_bit(tiny):
    plain = train(tiny('student/mnv3s_slim_shapes.py', 'plain'))
    for off in ('no terms', 'weights of 0'):
        distilled = with_feature_term(tiny('kd/response_kd_shapes.py', off))
        distilled = with_stateful_terms(distilled)
        if off == 'no terms':
            distilled.model.terms = {}
        for term in distilled.model.terms.values():
            term.loss.loss_weight = 0.0
        kd = train(distilled)
        kd_state = {k: v for k, v in kd.model.state_dict().items() if not k.startswith('terms.')}
        assert_same(plain.model.state_dict(), kd_state)
        losses = [np.array(r.message_hub.get_scalar('train/loss').data[0]) for r in (plain, kd)]
        assert np.array_equal(*losses)


@pytest.mark.parametrize('terms', [{}, None])
def test_law_2_without_terms_the_log_says_that_the_plain_student_is_trained(tiny, terms, capsys):
    MMLogger.get_instance(uuid4().hex)  # one that writes to the stdout of this test
    model = tiny('kd/response_kd_shapes.py').model
    MODELS.build(model)
    assert 'plain student' not in capsys.readouterr().out
    del model['terms']
    MODELS.build(model if terms is None else {**model, 'terms': terms})
    said = capsys.readouterr().out
    assert 'SegDistiller has no terms: it trains the plain student' in said


def test_law_2_a_weight_of_0_does_not_run_the_teacher(build, monkeypatch):
    model = build()
    for term in model.terms.values():
        term.loss.loss_weight = 0.0
    monkeypatch.setattr(model.teacher, 'forward', lambda x: pytest.fail('the teacher ran'))
    data = model.data_preprocessor(batch(model), True)
    losses = model(**data, mode='loss')
    assert losses['terms.logits.loss'] == losses['terms.feature.loss'] == 0


def test_law_2_terms_without_weight_keep_ddp_going(build):
    # DDP raises in the next step if a parameter got no gradient in the last.
    torch.distributed.init_process_group(
        'gloo', store=torch.distributed.HashStore(), rank=0, world_size=1
    )
    try:
        model = build()
        model.terms['feature'].loss.loss_weight = 0.0
        ddp = torch.nn.parallel.DistributedDataParallel(model.train())
        for _ in range(2):
            losses = ddp(**model.data_preprocessor(batch(model), True), mode='loss')
            model.parse_losses(losses)[0].backward()
        buckets = sum(p.numel() for p in ddp.parameters())
        assert buckets == sum(p.numel() for p in model.student.parameters()) + 48 * 576 + 576
    finally:
        torch.distributed.destroy_process_group()


# Law 3: the teacher is inert. (More in test_teacher.py.)


@pytest.mark.slow
def test_law_3_training_leaves_the_teacher_alone_and_keeps_it_out_of_everything(tiny):
    config = with_feature_term(tiny('kd/response_kd_shapes.py'))
    config.custom_hooks.append({'type': 'EMAHook', 'momentum': 0.1})
    runner = Runner.from_cfg(config)
    model = runner.model
    before = deepcopy(dict(model.teacher.state_dict()))
    runner.train()
    assert_same(dict(model.teacher.state_dict()), before)

    theirs = {id(p) for p in model.teacher.parameters()}
    assert theirs.isdisjoint(id(p) for p in model.parameters())
    optimised = {id(p) for g in runner.optim_wrapper.optimizer.param_groups for p in g['params']}
    assert optimised == {id(p) for p in model.parameters()}
    (ema,) = (h.ema_model for h in runner.hooks if hasattr(h, 'ema_model'))
    assert ema.module.teacher is model.teacher
    checkpoint = torch.load(f'{config.work_dir}/epoch_2.pth', weights_only=False)
    assert checkpoint['state_dict'].keys() == model.state_dict().keys()
    assert checkpoint['ema_state_dict'].keys() == {'steps'} | {
        f'module.{key}' for key in model.state_dict()
    }


def test_law_3_the_teacher_follows_the_model_between_types_and_modes(build):
    model = build()
    model.train()
    assert not model.teacher.training
    model.double()
    assert {p.dtype for p in model.teacher.parameters()} == {torch.float64}


def test_parameters_and_queues_of_losses_are_in_the_checkpoint_under_their_term(tiny):
    model = MODELS.build(with_stateful_terms(tiny('kd/response_kd_shapes.py')).model)
    kept = {key for key in model.state_dict() if key.startswith('terms.')}
    assert kept == {
        *(f'terms.generated.loss.generator.{i}.{part}' for i in (0, 2) for part in
          ('weight', 'bias')),
        *(f'terms.memory.loss.{queue}.{part}' for queue in ('pixels', 'regions') for part in
          ('features', 'seen')),
    }  # fmt: skip


def test_law_4_an_all_void_batch_gives_finite_losses_and_gradients(build):
    model = build().train()
    losses = model(**model.data_preprocessor(batch(model, label=255), True), mode='loss')
    assert losses['terms.logits.loss'] == losses['terms.feature.loss'] == 0
    model.parse_losses(losses)[0].backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_images_without_labels_count_for_the_terms_alone(build):
    torch.manual_seed(0)
    model = build().train()
    labelled, free = batch(model), batch(model, label=UNLABELLED)
    free['inputs'] = labelled['inputs']

    def losses(data):
        torch.manual_seed(0)  # of dropout
        return model(**model.data_preprocessor(data, True), mode='loss')

    with_labels, without = losses(labelled), losses(free)
    assert without['decode.loss_ce'] == 0 < with_labels['decode.loss_ce']
    for term in ('terms.logits.loss', 'terms.feature.loss'):
        assert without[term] == with_labels[term] > 0


# Law 5: resume is exact. (With workers: tests/whole_image/test_cached_teacher.py.)


def plateau(config: Config) -> None:
    config.param_scheduler = load_config('student/mnv3s_slim_voc.py').param_scheduler
    config.param_scheduler.update(patience=0, threshold=100)
    config.custom_hooks.append(dict(type='EarlyStoppingHook', monitor='mIoU', min_delta=100))


def poly_with_averages_and_queues(config: Config) -> None:
    config.param_scheduler.end = 2
    config.custom_hooks.append({'type': 'EMAHook', 'momentum': 0.1})
    with_stateful_terms(config)


def amp(config: Config) -> None:
    config.optim_wrapper.type = 'CPUAmpOptimWrapper'
    size = (32, 32)  # bf16 is slow where the processor has no instructions for it
    config.train_dataloader.dataset.pipeline[4].crop_size = size
    config.model.student.data_preprocessor.size = size


@pytest.mark.slow
@pytest.mark.parametrize('variant', [plateau, poly_with_averages_and_queues, amp])
def test_law_5_stopped_and_resumed_is_the_same_to_the_bit(tiny, variant):
    def config(run: str) -> Config:
        made = with_feature_term(tiny('kd/response_kd_shapes.py', run))
        made.train_dataloader.dataset.indices = 8  # two iterations before the stop, two after
        variant(made)
        return made

    straight = train(config('straight'))
    resumed = config('resumed')
    resumed.update(resume=True, load_from=f'{straight.work_dir}/epoch_1.pth')
    resumed = train(resumed)
    assert_same(straight.model.state_dict(), resumed.model.state_dict())
    first, second = (
        torch.load(f'{r.work_dir}/epoch_2.pth', weights_only=False) for r in (straight, resumed)
    )
    assert_same(first['state_dict'], second['state_dict'])
    assert_same(first.get('ema_state_dict', {}), second.get('ema_state_dict', {}))
    assert first['optimizer']['param_groups'] == second['optimizer']['param_groups']
    hubs = [r.message_hub.runtime_info.get('early_stopping_mIoU') for r in (straight, resumed)]
    assert hubs[0] == hubs[1] and (hubs[0] is None or hubs[0][1] == 1)


# Law 6: names are checked at build.


def break_student_tap(terms: dict) -> None:
    terms.logits.student = 'decode_head.conv_sge'


def break_teacher_tap(terms: dict) -> None:
    terms.feature.teacher = 'backbone.fianl'


def leave_out_adapter(terms: dict) -> None:
    del terms.feature['adapter']


def compare_flat(terms: dict) -> None:
    terms.feature.student = 'decode_head.aspp.branches.0.conv.conv'


def misspell_a_key(terms: dict) -> None:
    terms.logits.adpter = 'auto'


def take_a_loss_of_mmseg(terms: dict) -> None:
    terms.logits.loss = dict(type='CrossEntropyLoss')


def leave_out_taps(terms: dict) -> None:
    del terms.logits['student'], terms.logits['teacher']


def misspell_a_key_of_a_loss(terms: dict) -> None:
    terms.feature.loss.loss_wieght = 1.0


def misspell_a_loss(terms: dict) -> None:
    terms.feature.loss.type = 'CosineFeatureLos'


@pytest.mark.parametrize(
    ('breaks', 'error', 'says'),
    [
        (break_student_tap, TapError, 'did you mean .decode_head.conv_seg'),
        (break_teacher_tap, TapError, 'did you mean .backbone.final'),
        (leave_out_adapter, ValueError, r"48 channels.*'backbone.final' 576.*adapter='auto'"),
        (
            misspell_a_key,
            BuildError,
            r"^Term 'logits': no keyword 'adpter' \(did you mean 'adapter'\?\); those that exist: "
            'student, teacher, loss, adapter, classes, schedule.$',
        ),
        (take_a_loss_of_mmseg, BuildError, "'logits': CrossEntropyLoss does not compare"),
        (leave_out_taps, BuildError, "^Term 'logits' has no 'student' and no 'teacher', expected"),
        (misspell_a_key_of_a_loss, BuildError, "'feature' > CosineFeatureLoss: .*'loss_weight'"),
        (misspell_a_loss, BuildError, "'feature': no model .*did you mean 'CosineFeatureLoss'"),
    ],
)
def test_law_6_a_wrong_name_in_a_term_is_an_error_at_build(tiny, breaks, error, says):
    config = with_feature_term(tiny('kd/response_kd_shapes.py'))
    breaks(config.model.terms)
    with pytest.raises(error, match=says):
        MODELS.build(config.model)


def misspell_the_head(model: dict) -> None:
    model.student.decode_head.type = 'DepthwiseDecoderHaed'


def misspell_a_key_of_the_head(model: dict) -> None:
    model.student.decode_head.chanels = 3


def misspell_a_key_of_the_teacher(model: dict) -> None:
    model.teacher.input_scael = 2


@pytest.mark.parametrize(
    ('breaks', 'says'),
    [
        (misspell_the_head, "^student > EncoderDecoder: no model .*'DepthwiseDecoderHead'"),
        (misspell_a_key_of_the_head, "^student > EncoderDecoder > DepthwiseDec.* mean 'channels'"),
        (misspell_a_key_of_the_teacher, "^teacher > Teacher: no keyword .* mean 'input_scale'"),
    ],
)
def test_law_6_a_wrong_name_in_student_or_teacher_is_an_error_at_build(tiny, breaks, says):
    config = tiny('kd/response_kd_shapes.py')
    breaks(config.model)
    with pytest.raises(BuildError, match=says):
        MODELS.build(config.model)


def test_law_6_a_head_with_another_void_is_an_error_at_build(tiny):
    config = tiny('kd/response_kd_shapes.py')
    config.model.student.decode_head.ignore_index = 254
    with pytest.raises(
        ValueError, match=r'student: decode_head\.ignore_index is 254, expected 255'
    ):
        MODELS.build(config.model)


def test_law_6_class_spaces_that_differ_are_an_error_at_build(tiny):
    config = tiny('kd/response_kd_shapes.py')
    config.model.student.decode_head.num_classes = 5
    with pytest.raises(ValueError, match=r"'logits'.*gives 5 channels.* 8.*classes=dict"):
        MODELS.build(config.model)


# The distiller beside an mmseg segmentor.


def test_a_student_of_one_image_size_is_tried_at_that_of_the_crops(tiny):
    config = with_feature_term(tiny('kd/response_kd_shapes.py'))
    student, size = config.model.student, (96, 128)
    student.data_preprocessor.size = size
    student.backbone = {
        'type': 'TimmTapBackbone', 'arch': 'efficientformerv2_s0', 'options': {'img_size': size}
    }  # fmt: skip
    student.decode_head.in_channels = [48, 32, 176]
    model = MODELS.build(config.model)
    assert model.terms.feature.adapter.in_channels == 96
    assert model.student.training


@pytest.mark.slow
def test_a_config_of_mmseg_with_its_preprocessor_at_the_top_and_its_augmentation(tiny):
    config, scores = tiny('kd/response_kd_shapes.py'), []
    config.data_preprocessor = config.model.student.pop('data_preprocessor')
    for model in (config, plain_student(config)):
        model.experiment_name += 'tta'
        torch.manual_seed(0)
        runner = Runner.from_cfg(with_augmentation(model))
        scores.append(runner.test())
        inner = getattr(runner.model.module, 'student', runner.model.module)
        assert inner.data_preprocessor.std[2] == config.data_preprocessor.std[2]
    assert scores[0] == scores[1]


def test_prediction_and_plain_forward_are_the_students(build):
    model = build().eval()
    x = torch.randn(1, 3, 64, 64)
    for mode in ('tensor', 'predict'):
        distilled, plain = (m(x, mode=mode) for m in (model, model.student))
        if mode == 'predict':
            distilled, plain = (out[0].seg_logits.data for out in (distilled, plain))
        assert torch.equal(distilled, plain)
