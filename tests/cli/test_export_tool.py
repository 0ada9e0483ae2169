import json
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmengine.config import ConfigDict
from run_command import run_command
from tiny_student import MODEL, tiny_student

from segkd_mm.cli import export, test
from segkd_mm.deploy import load_runtime
from segkd_mm.formats import BOUNDS


@pytest.fixture
def config(tiny, tmp_path):
    """The file of a config with the tiny student."""
    config = tiny('student/mnv3s_slim_shapes.py')
    config.model = ConfigDict(deepcopy(MODEL))
    config.dump(tmp_path / 'tiny.py')
    return tmp_path / 'tiny.py'


@pytest.fixture
def student():
    return tiny_student()


@pytest.fixture
def call(config, student, tmp_path, monkeypatch, capsys):
    """Run a tool on the student, in a folder of its own; give what it prints."""
    monkeypatch.chdir(tmp_path)

    def run_tool(tool, *words, file='run/best.pth'):
        Path('run').mkdir(exist_ok=True)
        torch.save({'state_dict': student.state_dict()}, 'run/best.pth')
        name = Path(tool.__file__).stem
        monkeypatch.setattr(sys, 'orig_argv', ['python', f'tools/{name}.py', 'tiny.py', file])
        run_command(name, config, file, *words)
        return capsys.readouterr().out

    return run_tool


@pytest.mark.slow
def test_an_exported_file_tests_as_its_checkpoint_does(call):
    words = '--to', 'torch-export', '--image-in', '--labels-out', '--num-images', 2
    said = call(export, *words)
    file = 'run/best_fp32.pt2'
    assert f'tools/test.py {Path.cwd() / "tiny.py"} {file}' in said
    record = json.loads(Path(f'{file}.json').read_text())
    assert record['comparison']['images'] == 2
    assert record['comparison']['labels_differ'] <= 1e-4
    assert record['metadata'] == load_runtime(file).metadata
    assert len(record['metadata']['classes']) == len(record['metadata']['palette']) == 8

    call(test)
    call(test, file=file)
    of_checkpoint = json.loads(Path('run/test_test.json').read_text())
    of_file = json.loads(Path(f'{file}.test_test.json').read_text())
    assert of_file['per_class'] == pytest.approx(of_checkpoint['per_class'], abs=0.02)
    assert of_checkpoint['metrics']['mIoU'] > 1
    assert of_file['parameters'] == of_checkpoint['parameters']
    assert of_file['artefact']['precision'] == 'fp32'


@pytest.mark.slow
def test_a_broken_export_is_refused_and_leaves_nothing(call, monkeypatch):
    make = export.DeployedGraph

    def wrong_mean(*words):
        graph = make(*words)
        graph.normalise.mean += 20
        return graph

    monkeypatch.setattr(export, 'DeployedGraph', wrong_mean)
    refused = r'run/best_fp32.pt2 was not written: .* % of the labels differ; a logit differs by'
    with pytest.raises(SystemExit, match=refused):
        call(export, '--to', 'torch-export', '--image-in', '--num-images', 1)
    assert [file.name for file in Path('run').iterdir()] == ['best.pth']


@pytest.mark.slow
def test_int8_that_breaks_the_model_is_reported_with_the_layer_to_keep(
    call, student, shapes, capsys, monkeypatch
):
    block = student.backbone.layer1[0]  # one channel between its convs is far above the others
    with torch.no_grad():
        block.bn1.weight[0], block.bn1.bias[0] = 3e3, 3e3
        block.conv2.weight[:, 0] /= 3e3
    # The second call is of the same graph; its translation takes seconds.
    to_format, made = export.to_format, []
    monkeypatch.setattr(
        export, 'to_format', lambda *a: made[0] if made else made.append(to_format(*a)) or made[0]
    )
    images = [*map(str, sorted((shapes / 'JPEGImages').glob('train*'))[:3])]
    words = ['--to', 'openvino', '--precision', 'int8', '--images', *images, '--num-calibration', 8]
    with pytest.raises(SystemExit, match='% of the labels differ') as refused:
        call(export, *words)
    assert 'The model is broken by int8.' in str(refused.value)
    assert str(refused.value).endswith('--keep-float backbone.layer1.0.conv2')
    assert 'backbone.layer1.0.conv2' in capsys.readouterr().out.split('share %')[1].split('\n')[2]
    assert not Path('run/best_int8.xml').exists()

    call(export, *words, '--keep-float', 'backbone.layer1.0.conv2')
    record = json.loads(Path('run/best_int8.xml.json').read_text())
    assert record['keep_float'] == ['backbone.layer1.0.conv2']
    assert record['comparison']['miou'] is None
    assert 1e-4 < record['comparison']['labels_differ'] < 0.05
    assert len(record['calibration']) == 8


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (['--to', 'onnx', '--precision', 'bf16'], '--to openvino or torch-export'),
        (['--to', 'torch-export', '--precision', 'int8'], '--to onnx or openvino'),
        (['--to', 'onnx', '--keep-float', 'backbone'], 'are of --precision int8'),
        (['--to', 'onnx', '--out', 'a.xml'], 'expected a name that ends in .onnx'),
        (['--to', 'executorch'], 'executorch or coreml takes --size H W'),
        (['--to', 'ncnn', '--size', 9, 9], 'takes images of any size, without --size'),
        (['--to', 'coreml', '--size', 9, 9, '--num-images', 1], 'no images are compared'),
    ],
)
def test_what_does_not_go_together_is_refused(call, capsys, words, said):
    with pytest.raises(SystemExit):
        call(export, *words)
    assert said in capsys.readouterr().err


def test_each_precision_has_a_number_of_images():
    assert export.IMAGES.keys() == BOUNDS.keys()


def test_core_ml_is_written_and_not_compared(call):
    pytest.importorskip('coremltools', reason="pip install 'segkd_mm[coreml]'")
    said = call(export, '--to', 'coreml', '--precision', 'fp16', '--size', 64, 96)
    assert 'not run and not compared with PyTorch' in said
    assert 'Next:' not in said
    file = Path('run/best_fp16.mlpackage')
    record = json.loads(Path(f'{file}.json').read_text())
    assert record['bytes'] == sum(one.stat().st_size for one in file.rglob('*') if one.is_file())
    assert record['metadata']['size'] == [64, 96]
    with pytest.raises(ValueError, match='runs on Apple devices alone'):
        call(test, file=file)


def test_help_states_the_bounds(call, capsys):
    with pytest.raises(SystemExit):
        call(export, '--help')
    said = ' '.join(capsys.readouterr().out.split())
    assert 'fp32: at most 0.01 % of the labels differ, no logit by more than 0.001' in said
    assert 'int8: mIoU at most 1 points lower; without truth at most 5 %' in said
