"""Several teachers, in a distiller of the shapes configs."""

from copy import deepcopy

import pytest
import torch
from mmseg.registry import MODELS

from segkd_mm.config import load_config
from segkd_mm.distill import TapError

pytestmark = pytest.mark.slow

LOGITS = 'decode_head.conv_seg'


def logits_term(teacher, **loss):
    return {
        'student': LOGITS,
        'teacher': teacher,
        'loss': {'type': 'PixelKLLoss', **loss},
    }


@pytest.fixture
def two_files(teacher_file, tmp_path):
    """Two teachers' weights, the second with other random numbers."""
    torch.manual_seed(8)
    model = MODELS.build(load_config('teacher/mnv3s_wide_shapes.py').model)
    torch.save(model.state_dict(), tmp_path / 'second.pth')
    return {'big': str(teacher_file), 'small': str(tmp_path / 'second.pth')}


@pytest.fixture
def build(tiny, two_files):
    def make(terms, drop=0.0):
        config = tiny('kd/response_kd_shapes.py').model
        one = config.teacher
        members = {name: {**deepcopy(one), 'checkpoint': f} for name, f in two_files.items()}
        config.teacher = {'type': 'TeacherEnsemble', 'members': members, 'drop': drop}
        config.terms = terms
        return MODELS.build(config).train()

    return make


def losses_of(model, seed=0):
    from test_laws import batch

    torch.manual_seed(seed)
    data = model.data_preprocessor(batch(model), True)
    torch.manual_seed(seed)
    losses = model(**data, mode='loss')
    return {key: losses[key].item() for key in losses if key.startswith('terms.')}


def test_each_term_has_a_teacher_of_its_own_or_the_mean_of_several(build):
    terms = {
        'one': logits_term(f'big.{LOGITS}'),
        'other': logits_term(f'small.{LOGITS}'),
        'mean': logits_term({f'big.{LOGITS}': 1.0, f'small.{LOGITS}': 1.0}),
    }
    losses = losses_of(build(terms))
    one, other, mean = (losses[f'terms.{name}.loss'] for name in terms)
    assert one != other
    # KL is convex in the teacher's distribution.
    assert 0 < mean < (one + other) / 2


def test_a_teacher_that_no_term_needs_now_is_not_run(build, monkeypatch):
    terms = {
        'one': logits_term(f'big.{LOGITS}'),
        'off': logits_term(f'small.{LOGITS}', loss_weight=0.0),
    }
    model = build(terms)
    small = model.teacher.members['small']
    monkeypatch.setattr(small, 'forward', lambda *_: pytest.fail('the teacher ran'))
    assert losses_of(model)['terms.one.loss'] > 0


def test_a_teacher_of_no_term_is_not_run_on_whole_images_either(build, monkeypatch):
    teacher = build({'one': logits_term(f'big.{LOGITS}')}).teacher
    monkeypatch.setattr(
        teacher.members['small'], 'forward', lambda *_: pytest.fail('the teacher ran')
    )
    assert [*teacher(torch.zeros(1, 3, 64, 64))] == [f'big.{LOGITS}']


def test_teachers_are_dropped_at_random_but_never_all_of_those_needed(build):
    terms = {
        'one': logits_term(f'big.{LOGITS}'),
        'other': logits_term(f'small.{LOGITS}'),
    }
    model = build(terms, drop=0.5)

    def on(seed):
        return tuple(loss > 0 for loss in losses_of(model, seed).values())

    found = [on(seed) for seed in range(10)]
    assert set(found) == {(True, True), (True, False), (False, True)}
    assert [on(seed) for seed in range(2)] == found[:2]


def test_the_share_of_steps_without_a_teacher_is_that_of_the_probability(build):
    model = build({'one': logits_term(f'big.{LOGITS}'), 'other': logits_term(f'small.{LOGITS}')},
                  drop=0.3)  # fmt: skip
    torch.manual_seed(0)
    drawn = [model.teacher._drawn(['big', 'small']) for _ in range(4000)]
    both = sum(len(names) == 2 for names in drawn) / len(drawn)
    assert both == pytest.approx(0.7**2, abs=0.03)


def test_no_checkpoint_and_no_mode_knows_of_the_teachers(build):
    model = build({'one': logits_term(f'big.{LOGITS}')})
    assert model.state_dict().keys() == model.student.state_dict().keys()
    assert not any(module.training for module in model.teacher.modules())
    assert not any(parameter.requires_grad for parameter in model.teacher.parameters())


@pytest.mark.parametrize(
    ('tap', 'match'),
    [
        (f'bgi.{LOGITS}', r"no teacher 'bgi' \(did you mean 'big'\?\) among big, small"),
        ('big.decode_head.conv_sge', r'did you mean .decode_head\.conv_seg'),
    ],
)
def test_a_wrong_tap_is_an_error_that_names_what_there_is(build, tap, match):
    with pytest.raises(TapError, match=match):
        build({'one': logits_term(tap)})


@pytest.mark.parametrize(
    ('members', 'drop', 'match'),
    [({}, 0, 'expected names without dots'), ({'a.b': {}}, 0, 'without dots'),
     ({'a': {}}, 1.0, 'drop is 1.0')],
)  # fmt: skip
def test_wrong_arguments_are_an_error(members, drop, match):
    with pytest.raises(ValueError, match=match):
        MODELS.build({'type': 'TeacherEnsemble', 'members': members, 'drop': drop})
