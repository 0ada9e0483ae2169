"""The naive terms that ours are measured against."""

import json
import sys
from importlib import import_module
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmseg.registry import MODELS

from segkd_mm.config import config_dir

BENCHMARKS = config_dir().parent / 'benchmarks'


@pytest.fixture
def script(monkeypatch, tmp_path):
    """A module of the benchmarks, by name; what it writes lies in ``tmp_path``."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    monkeypatch.chdir(tmp_path)
    return import_module


@pytest.fixture
def run(script, monkeypatch, tmp_path):
    """Run a script in this process by its command line, and give out its result."""

    def measure(name, *words):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, words), '--out', 'result.json'])
        script(name).main()
        return json.loads((tmp_path / 'result.json').read_text())

    return measure


def test_at_a_stride_finer_maps_are_averaged_and_coarser_ones_interpolated(script):
    at_stride = script('full_size').at_stride
    student = torch.tensor([[1.0, 3.0, 5.0, 7.0]]).expand(4, 4)[None, None]
    teacher = torch.tensor([[1.0, 5.0]]).expand(2, 2)[None, None]
    labels = torch.zeros(1, 8, 8)
    halves, _, same = at_stride(4)(None, (student, {'t': teacher}, labels))
    assert same is labels
    assert halves.tolist() == [[[[2.0, 6.0], [2.0, 6.0]]]]
    _, whole, _ = at_stride(2)(None, (student, {'t': teacher}, labels))
    # Centres of new cells lie a quarter of an old one from its own.
    assert whole['t'][0, 0, 0].tolist() == [1.0, 2.0, 4.0, 5.0]


def test_the_hook_makes_a_term_compare_pixel_by_pixel(script, tiny):
    model = MODELS.build(tiny('kd/response_kd_shapes.py').model)
    script('full_size').FullSizeTermsHook().before_train(SimpleNamespace(model=model))
    student, teacher = torch.randn(2, 8, 8, 8), torch.randn(2, 8, 4, 4)
    labels = torch.randint(0, 8, (2, 32, 32))
    labels[:, :5] = 255
    term = model.terms['logits']
    (tap,) = term.mixture.weights
    s, t = (F.interpolate(x, (32, 32), mode='bilinear').double() / 2 for x in (student, teacher))
    kl = F.kl_div(s.log_softmax(1), t.log_softmax(1), reduction='none', log_target=True).sum(1)
    expected = 4 * kl[labels != 255].mean().item() * term.loss.loss_weight
    assert term(student, {tap: teacher}, labels).item() == pytest.approx(expected)


@pytest.fixture
def words(shapes, teacher_file):
    """A distillation on shapes in two batches of two crops, on the command line."""
    return ['kd/response_kd_shapes.py', '--batches', 2, '--cfg-options', f'data_root={shapes}',
            f'model.teacher.checkpoint={teacher_file}', 'train_dataloader.batch_size=2',
            'train_dataloader.dataset.num_train=16',
            'train_dataloader.dataset.num_val=4']  # fmt: skip


@pytest.mark.slow
def test_gradients_are_compared_by_resolution(run, words):
    table = {row['stride']: row for row in run('kl_resolution', *words)['table']}
    assert list(table) == ['1', '4', '8', '16', '1, another batch']
    assert table['1']['cosine'] == '1.0000' and table['1']['loss, x'] == 1
    assert 0 < float(table['4']['cosine']) < 1
    assert float(table['1, another batch']['cosine']) < 0.999


@pytest.mark.slow
def test_options_of_a_teacher_are_held_against_float32(run, words):
    table = {r['teacher']: r for r in run('teacher_options', '--repeats', 1, *words)['table']}
    assert table['float32']['labels that differ, %'] == '0.000'
    assert float(table['float32, fused']['KL, nats']) < 1e-6
    assert float(table['bf16']['KL, nats']) > 1e-9
    assert len(table) == 9


@pytest.mark.slow
def test_options_of_a_student_are_measured_side_by_side(run):
    result = run('student_step', 'student/mnv3s_slim_shapes.py', '--size', 64, 64, '--batch', 4,
                 '--repeats', 1)  # fmt: skip
    assert result['ratios']['float32'] == 1
    assert [row['step'] for row in result['table']] == list(result['ratios'])
    assert len(result['ratios']) == 5
