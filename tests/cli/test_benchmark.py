"""tools/benchmark.py, run in this process."""

import json
from pathlib import Path

import pytest
from ink import ink
from mmengine.config import Config
from mmseg.registry import MODELS
from run_command import run_command
from tiny_student import MODEL, tiny_student

from segkd_mm.deploy.export import save_program, to_program
from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.loading import deployable
from segkd_mm.measure.model_cost import count_parameters

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'benchmark.py'

BACKBONE = """data_preprocessor=dict(type='SegDataPreProcessor', mean=[99.0], std=[50.0]),
    backbone=dict(type='ResNet', depth=18, base_channels=8)"""
PSP = f"""
model = dict(
    type='EncoderDecoder', {BACKBONE},
    decode_head=dict(type='PSPHead', in_channels=64, channels=8, pool_scales=(1, 2), num_classes=3),
    auxiliary_head=dict(type='FCNHead', in_channels=32, in_index=2, channels=8, num_convs=1,
                        concat_input=False, num_classes=3))
"""
OCR = f"""
model = dict(
    type='CascadeEncoderDecoder', num_stages=2, {BACKBONE},
    decode_head=[
        dict(type='FCNHead', in_channels=64, channels=8, num_convs=1, num_classes=3),
        dict(type='OCRHead', in_channels=64, channels=16, ocr_channels=8, num_classes=3)])
"""
KD = """
_base_ = 'psp.py'
model = dict(_delete_=True, type='SegDistiller', student=_base_.model, teacher=None, terms={})
"""
RESULT = {'dataset': 'CamVidDataset', 'split': 'test', 'images': 233}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder with three configs of tiny models."""
    for name, text in (('psp', PSP), ('ocr', OCR), ('kd', KD)):
        (tmp_path / f'{name}.py').write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def benchmark(home, monkeypatch, capsys):
    """Run the tool; give what it printed and its result file."""

    def run(*configs, out='out/speed.json'):
        words = [
            *map(str, configs),
            '--size',
            '32',
            '48',
            '--repeats',
            '2',
            '--threads',
            '1',
            '--out',
            out,
        ]
        run_command('benchmark', *words)
        return capsys.readouterr().out, json.loads((home / out).read_text())

    return run


def put_result(path, config, seed, miou):
    path.parent.mkdir(parents=True, exist_ok=True)
    of = {'config': config, 'metrics': {'mIoU': miou}, 'training': {'config': config, 'seed': seed}}
    path.write_text(json.dumps({**RESULT, **of}))


def parameters(config):
    return count_parameters(MODELS.build(Config.fromfile(config).model))


@pytest.mark.slow
def test_accuracy_stands_beside_speed(home, benchmark):
    for seed, miou in enumerate((60.0, 64.0)):
        put_result(home / f'results/camvid/psp/{seed}.json', 'psp.py', seed, miou)
    put_result(home / 'work_dirs/psp/test_test.json', 'psp.py', 0, 99.0)
    put_result(home / 'work_dirs/kd/test_test.json', 'kd.py', 0, 70.0)
    said, result = benchmark('psp.py', 'ocr.py', 'kd.py')

    kd, psp, ocr = result['models']
    assert [model['config'] for model in (kd, psp, ocr)] == ['kd.py', 'psp.py', 'ocr.py']
    assert psp['mIoU'] == {
        'mean': 62.0,
        'std': pytest.approx(8**0.5),
        'seeds': [0, 1],
        'data': 'CamVid test, 233 images',
        'files': ['results/camvid/psp/0.json', 'results/camvid/psp/1.json'],
    }
    assert psp['mIoU_per_ms'] == pytest.approx(62 / psp['labels']['median_ms'])
    # One net, one measurement: of two equally fast models the better one is the front.
    assert kd['labels'] == psp['labels']
    assert (kd['pareto'], psp['pareto']) == (True, False)
    assert (result['threads'], result['size'], result['batch']) == (1, [32, 48], 1)

    # Of the same model, the faster way is by so much faster than mmseg's way of the first config.
    usual = psp['mmseg']['median_ms']
    assert result['ratios'] == {
        model['config']: pytest.approx(usual / model['labels']['median_ms'])
        for model in result['models']
    }
    assert psp['x_floor'] == pytest.approx(psp['logits']['median_ms'] / psp['floor_ms'])
    assert 0 < psp['floor_ms'] < psp['labels']['median_ms']
    assert result['machine']['gflops']['fp32'] > 1

    # The heads for the training loss are not deployed; a cascade's first head is.
    assert parameters('psp.py') - psp['parameters'] == (32 * 8 * 9 + 8) + (8 * 3 + 3)
    assert ocr['parameters'] == parameters('ocr.py')
    assert ocr['mIoU'] is None
    assert 'CamVid test, 233 images; 1 x 32x48 on cpu, threads: 1' in said
    assert 'tools/test.py ocr.py work_dirs/ocr/best.pth' in said
    assert 'test.py psp.py' not in said
    assert f'{psp["parameters"]:,}' in said
    assert 0.01 < ink(home / 'out/speed.png') < 0.5
    assert 0.01 < ink(home / 'out/speed_ms.png') < 0.8


@pytest.mark.slow
def test_without_results_there_is_no_plot_of_them_not_even_an_old_one(home, benchmark):
    (home / 'out').mkdir()
    (home / 'out/speed.png').write_text('of another run')
    said, result = benchmark('psp.py', 'ocr.py')
    times = [model['labels']['median_ms'] for model in result['models']]
    assert times == sorted(times)
    assert {path.name for path in (home / 'out').iterdir()} == {'speed.json', 'speed_ms.png'}
    assert 'No plot' in said


@pytest.mark.slow
def test_exported_files_are_measured_beside_their_config(home, benchmark):
    (home / 'tiny.py').write_text(f'model = {MODEL!r}')
    graph = DeployedGraph(deployable(tiny_student())).eval()
    program = to_program(graph)
    known = dict(classes=[*'abcdefgh'], precision='fp32', config='tiny.py')
    for name in ('tested.pt2', 'untested.pt2'):
        save_program(program, home / name, {**graph.describe(), **known})
        known['config'] = 'elsewhere.py'
    put_result(home / 'tested.pt2.test_test.json', 'tiny.py', 0, 55.0)
    said, result = benchmark('tiny.py', 'tested.pt2', 'untested.pt2')

    models = {model['config']: model for model in result['models']}
    tiny, tested, untested = (models[name] for name in ('tiny.py', 'tested.pt2', 'untested.pt2'))
    assert tested['parameters'] == untested['parameters'] == tiny['parameters']
    assert (tested['gmacs'], tested['floor_ms']) == (tiny['gmacs'], tiny['floor_ms'])
    assert (untested['gmacs'], untested['floor_ms'], untested['x_floor']) == (None, None, None)
    assert tested['mmseg'] is None
    assert tested['logits']['median_ms'] > 0
    assert (tested['mIoU']['mean'], untested['mIoU'], tiny['mIoU']) == (55.0, None, None)
    assert set(result['ratios']) == set(models)
    assert 'tools/test.py elsewhere.py untested.pt2' in said


def test_an_exported_file_is_compared_with_a_config(benchmark, capsys):
    with pytest.raises(SystemExit):
        benchmark('a.onnx', 'psp.py')
    assert 'a.onnx: expected a config first' in capsys.readouterr().err


def test_a_result_file_that_would_be_overwritten_by_the_plot_is_refused(benchmark, capsys):
    with pytest.raises(SystemExit):
        benchmark('psp.py', out='speed.png')
    assert 'speed.png: expected a name that ends in .json' in capsys.readouterr().err
