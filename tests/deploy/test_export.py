"""What is exported computes what PyTorch computes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from core_ml import computed
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from one_size import exported_at_one_size
from test_label_map import TEACHER_KEYS
from tiny_student import NAMES, tiny_student
from torch import nn

from segkd_mm.config import load_config
from segkd_mm.deploy import load_runtime
from segkd_mm.deploy.coreml_model import check_coreml
from segkd_mm.deploy.export import (
    SAVERS,
    export_libraries,
    to_format,
    to_onnx,
    to_program,
    written_if_valid,
)
from segkd_mm.deploy.graph import DeployedGraph, MatmulAdaptiveAvgPool
from segkd_mm.deploy.images import ModelInputs, at_size, images_of_split
from segkd_mm.deploy.loading import deployable
from segkd_mm.deploy.ncnn_model import to_ncnn
from segkd_mm.deploy.parity import measure_parity
from segkd_mm.deploy.quantise import quantise
from segkd_mm.deploy.runtime_segmentor import RuntimeSegmentor
from segkd_mm.formats import BOUNDS, ONE_SIZE, SUFFIXES, files_of
from segkd_mm.weights import WeightsError, read_state_dict, rename_keys

pytestmark = pytest.mark.slow

REPO = Path(__file__).parents[2]
# Those of one size have fixtures of their own, for environments of their own.
FORMATS = [to for to in SUFFIXES if to not in ONE_SIZE]
LABEL_FORMATS = [to for to in FORMATS if to != 'ncnn']
WITHOUT = ['torch', 'segkd_mm']


def test_writing_openvino_reports_to_nobody(logits_of, tmp_path, monkeypatch):
    telemetry = pytest.importorskip('openvino_telemetry')
    told = []
    monkeypatch.setattr(telemetry.Telemetry, 'send_event', lambda *event, **_: told.append(event))
    SAVERS['openvino'](onnx.load(logits_of['onnx'].path), tmp_path / 'model.xml', {})
    assert told == []


def test_a_torch_whose_exporter_fails_is_named(student, monkeypatch):
    def fails(*_, **__):
        raise torch.onnx.OnnxExporterError('step 2/3')

    monkeypatch.setattr(torch.onnx, 'export', fails)
    with pytest.raises(RuntimeError, match='cannot write this model as ONNX'):
        to_onnx(to_program(DeployedGraph(student).eval()))


SIGNALS = """
import faulthandler, signal, subprocess, sys
from segkd_mm.deploy import load_runtime

faulthandler.enable()  # Python's handlers then run on the stack that is set aside for signals
signal.signal(signal.SIGCHLD, lambda *_: None)
first, second = load_runtime(sys.argv[1]), load_runtime(sys.argv[1])
del first
del second
for _ in range(20):
    subprocess.run(['true'])
"""


@pytest.mark.slow
def test_signals_arrive_after_openvino_was_used_twice(logits_of):
    path = str(logits_of['openvino'].path)
    run = subprocess.run([sys.executable, '-c', SIGNALS, path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize('to', FORMATS)
@pytest.mark.parametrize('shape', [(1, 3, 64, 64), (3, 3, 75, 101)])
def test_logits_are_those_of_pytorch_at_any_batch_and_size(student, logits_of, to, shape):
    images = torch.randn(shape)
    expected = student(images)
    found = logits_of[to](images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())


@pytest.mark.parametrize('to', LABEL_FORMATS)
@pytest.mark.parametrize('shape', [(1, 3, 64, 64), (2, 3, 75, 101)])
def test_images_become_the_labels_that_pytorch_finds(student, labels_of, to, shape):
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    mean, std = torch.tensor([[123.675, 116.28, 103.53], [58.395, 57.12, 57.375]])[..., None, None]
    logits = student((images[:, [2, 1, 0]] - mean) / std)
    expected = F.interpolate(logits, shape[2:], mode='bilinear').argmax(1)
    found = labels_of[to](images)
    assert found.dtype == torch.int64
    assert len(expected.unique()) > 3
    assert (found != expected).float().mean() < 1e-3  # ties


@pytest.mark.parametrize('to', FORMATS)
def test_metadata_travel_in_the_file(logits_of, labels_of, to):
    metadata = logits_of[to].metadata
    assert metadata['classes'] == [*'abcdefgh']
    assert metadata['note'] == 'ü "<&>'
    assert metadata['bgr_to_rgb'] is True
    np.testing.assert_allclose(metadata['mean'], [123.675, 116.28, 103.53])
    assert (metadata['input'], metadata['output']) == ('normalised', 'logits')
    if to in LABEL_FORMATS:
        metadata = labels_of[to].metadata
        assert (metadata['input'], metadata['output']) == ('image', 'labels')


@pytest.mark.parametrize('to', ['onnx', 'openvino', 'ncnn'])
def test_programs_of_the_guide_need_the_runtime_alone(student, logits_of, labels_of, to, tmp_path):
    file = (logits_of if to == 'ncnn' else labels_of)[to].path
    check_program({'onnx': 'onnxruntime'}.get(to, to), file, (60, 83), student, tmp_path)


def test_programs_of_the_guide_for_one_size(student, file_of_one_size, tmp_path):
    of_executorch = file_of_one_size.suffix == '.pte'  # which takes tensors of torch
    library, without = ('executorch', ['segkd_mm']) if of_executorch else ('ai_edge_litert', [])
    check_program(library, file_of_one_size, (64, 96), student, tmp_path, without or WITHOUT)


def check_program(library, path, size, student, tmp_path, without=WITHOUT):
    """Run the block of docs/export.md with a library, as it is, on a file of its name."""
    text = (REPO / 'docs/export.md').read_text().split('### Without this package')[1]
    programs = re.findall(r'^```python\n(.*?)^```', text, re.MULTILINE | re.DOTALL)
    (program,) = [one for one in programs if library in one]
    for file in files_of(path):
        shutil.copy(file, tmp_path / f'best_fp32{"".join(file.suffixes)}')
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'street.jpg'), image)
    program += "\nnp.save('labels.npy', labels)\n"
    program = f'import sys; sys.modules.update(dict.fromkeys({without}))\n{program}'
    subprocess.run([sys.executable, '-c', program], cwd=tmp_path, check=True, timeout=60)
    pixels = torch.from_numpy(cv2.imread(str(tmp_path / 'street.jpg')).transpose(2, 0, 1).copy())
    expected = predicted(student, pixels)
    assert (np.load(tmp_path / 'labels.npy')[0] != expected.numpy()).mean() < 1e-3  # ties
    assert cv2.imread(str(tmp_path / 'street_labels.png')).shape == image.shape


@pytest.mark.skipif(not shutil.which('g++'), reason='needs g++')
def test_the_program_of_the_guide_in_cpp(labels_of, tmp_path):
    for file in files_of(labels_of['openvino'].path):
        shutil.copy(file, tmp_path / f'best_fp32{file.suffix}')
    text = (REPO / 'docs/export.md').read_text().split('OpenVINO in C++')[1]
    code, commands = (text.split(f'```{kind}\n')[1].split('```')[0] for kind in ('cpp', 'bash'))
    (tmp_path / 'segment.cpp').write_text(code)
    image = np.random.default_rng(0).integers(0, 256, (60, 83, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'street.ppm'), image)
    path = f'{Path(sys.executable).parent}:{os.environ["PATH"]}'  # the `python` of the commands
    subprocess.run(
        ['bash', '-e', '-c', commands], cwd=tmp_path, check=True, env={**os.environ, 'PATH': path}
    )
    pixels = torch.from_numpy(image.transpose(2, 0, 1)[None].copy())
    labels = cv2.imread(str(tmp_path / 'labels.pgm'), cv2.IMREAD_UNCHANGED)
    assert torch.equal(torch.from_numpy(labels).long()[None], labels_of['openvino'](pixels))


class Sorted(DeployedGraph):
    def forward(self, images):
        return super().forward(images).sort(1)[0]


def test_an_operation_that_ncnn_has_not_is_named(student):
    with pytest.raises(RuntimeError, match=r'ncnn has no layer for .*another format'):
        to_ncnn(Sorted(student))


@pytest.mark.parametrize('damage', ['no layers', 'no weights', 'half of the weights'])
def test_damaged_files_of_ncnn_are_errors(logits_of, tmp_path, damage):
    for file in files_of(logits_of['ncnn'].path):
        shutil.copy(file, tmp_path)
    param, weights = files_of(tmp_path / logits_of['ncnn'].path.name)
    if damage == 'no layers':
        param.write_text('\n'.join(param.read_text().splitlines()[i] for i in (0, 1, 2, -1)))
    elif damage == 'no weights':
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(ValueError, match=r'model\.ncnn\.param cannot be loaded.*Export it again'):
        load_runtime(param)


def test_files_of_one_size_take_images_of_it_and_resize_others(student, file_of_one_size, tmp_path):
    runtime = load_runtime(file_of_one_size)
    assert runtime.metadata['classes'] == [*'abcdefgh']
    assert runtime.metadata['note'] == 'ü "<&>'
    for images in (torch.randn(2, 3, 64, 96), torch.randn(1, 3, 75, 101)):
        resized = F.interpolate(images, (64, 96), mode='bilinear', antialias=True)
        torch.testing.assert_close(runtime(images), student(resized), rtol=1e-3, atol=1e-4)
    cut, whole = tmp_path / f'cut{file_of_one_size.suffix}', file_of_one_size.read_bytes()
    for content in (b'', whole[:2000], whole[:-100]):
        cut.write_bytes(content)
        with pytest.raises(ValueError, match='cannot be loaded'):
            load_runtime(cut)


@pytest.mark.parametrize('file_of_one_size', ['executorch'], indirect=True)
def test_executorch_takes_files_for_xnnpack_alone(file_of_one_size, tmp_path):
    """Qualcomm's backend loads any library whose path is in the file."""
    other, content = tmp_path / 'other.pte', file_of_one_size.read_bytes()
    other.write_bytes(content.replace(b'XnnpackBackend', b'QnnBackend\0\0\0\0'))
    with pytest.raises(WeightsError, match=r'other\.pte computes with QnnBackend'):
        load_runtime(other)


@pytest.mark.parametrize('file_of_one_size', ['executorch'], indirect=True)
def test_the_first_program_of_executorch_sets_the_threads_of_all(file_of_one_size):
    images = torch.randn(1, 3, 64, 96)
    runtimes = [load_runtime(file_of_one_size, threads) for threads in (None, 3)]
    assert [one.engine.split('threads: ')[1] for one in runtimes] == ['1', '1']
    assert torch.equal(runtimes[0](images), runtimes[1](images))


def test_core_ml_has_the_input_the_output_and_the_program_of_pytorch(student, tmp_path):
    graph, file, metadata = exported_at_one_size('coreml', student, tmp_path)
    check_coreml(file, graph, metadata)
    images = torch.randn(1, 3, 64, 96)
    torch.testing.assert_close(computed(file, images), student(images), rtol=1e-3, atol=1e-4)
    other = DeployedGraph(student, size=(96, 96))
    with pytest.raises(RuntimeError, match=r'found .* 3, 64, 96\].*expected .* 3, 96, 96\]'):
        check_coreml(file, other, metadata)


def test_core_ml_in_fp16_is_smaller_and_takes_and_gives_float32(student, tmp_path):
    sizes = []
    for precision in ('fp32', 'fp16'):
        folder = tmp_path / precision
        folder.mkdir()
        graph, file, metadata = exported_at_one_size('coreml', student, folder, precision)
        check_coreml(file, graph, metadata)
        sizes.append(sum(one.stat().st_size for one in files_of(file)))
    assert sizes[0] - sizes[1] > 1.5 * graph.describe()['parameters']  # of 2 bytes each, less names


def test_a_file_of_core_ml_is_not_read(tmp_path):
    (tmp_path / 'model.mlpackage').mkdir()
    with pytest.raises(ValueError, match=r'model\.mlpackage runs on Apple devices alone'):
        load_runtime(tmp_path / 'model.mlpackage')


def test_a_sample_is_resized_with_its_mask():
    mask = PixelData(data=torch.tensor([[[0, 1], [2, 255]]]))
    image = torch.arange(12, dtype=torch.uint8).view(3, 2, 2)
    sample = {'inputs': image, 'data_samples': SegDataSample(gt_sem_seg=mask)}
    resized = at_size(sample, (4, 2))
    assert resized['data_samples'].gt_sem_seg.data.tolist() == [
        [[0, 1], [0, 1], [2, 255], [2, 255]]
    ]
    # Rows at -1/4, 1/4, 3/4 and 5/4 of the two: 0, 2 become 0, 0.5, 1.5, 2 (to even: 0, 0, 2, 2).
    assert resized['inputs'][0, :, 0].tolist() == [0, 0, 2, 2]
    assert sample['inputs'].shape == (3, 2, 2)


def test_fp16_is_near_and_half_as_large(student, logits_of, tmp_path):
    images = torch.randn(1, 3, 64, 96)
    graph = DeployedGraph(student).eval()
    for to in ('onnx', 'ncnn'):
        file = tmp_path / f'model{SUFFIXES[to]}'
        SAVERS[to](
            to_format(graph, to, 'fp16'), file, {**logits_of[to].metadata, 'precision': 'fp16'}
        )
        error = (load_runtime(file)(images) - logits_of[to](images)).abs().max()
        assert 1e-5 < error < 1e-2
    sizes = [files_of(one)[1].stat().st_size for one in (file, logits_of['ncnn'].path)]
    assert sizes[0] < 0.6 * sizes[1]


def test_float32_is_computed_in_float32(logits_of):
    """OpenVINO would take bf16 where the processor has it."""
    assert logits_of['openvino'].engine.endswith('floats as f32')


def test_auxiliary_heads_stay_behind_and_the_model_stays_as_it_was(student):
    before = [type(module) for module in student.modules()]
    graph = DeployedGraph(student)
    assert [name for name, _ in graph.named_parameters() if 'auxiliary' in name] == []
    assert [type(module) for module in student.modules()] == before
    assert graph.describe()['parameters'] == sum(p.numel() for p in student.parameters())


def test_an_exported_file_predicts_as_a_segmentor(student, logits_of, labels_of):
    """The predictions of mmseg's own way, from an image on."""
    image = torch.randint(0, 256, (3, 60, 83), dtype=torch.uint8)
    expected = predicted(student, image)
    for runtime in (logits_of['onnx'], labels_of['onnx']):
        segmentor = MODELS.build(dict(type='RuntimeSegmentor', file=str(runtime.path)))
        assert isinstance(segmentor, RuntimeSegmentor)
        assert (predicted(segmentor, image) != expected).float().mean() < 1e-3


def predicted(segmentor, image):
    return segmentor.test_step({'inputs': [image], 'data_samples': None})[0].pred_sem_seg.data


def test_bf16_of_torch_export_takes_and_gives_float32(student, tmp_path):
    graph = DeployedGraph(student, dtype=torch.bfloat16).eval()
    SAVERS['torch-export'](to_program(graph), tmp_path / 'half.pt2', {**graph.describe(), **NAMES})
    runtime = load_runtime(tmp_path / 'half.pt2')
    images = torch.randn(1, 3, 64, 64)
    expected, found = student(images), runtime(images)
    assert found.dtype == torch.float32
    assert 1e-5 < (found - expected).abs().max() / expected.abs().max() < 0.05
    # Not rounded to bf16 on the way.
    np.testing.assert_allclose(runtime.metadata['mean'], [123.675, 116.28, 103.53])


@pytest.mark.parametrize('bins', [(1, 2), (3, 3), (6, 7)])
@pytest.mark.parametrize('size', [(1, 1), (2, 5), (7, 13), (60, 45)])
def test_means_over_bins_are_adaptive_average_pooling(bins, size):
    maps = torch.randn(2, 3, *size)
    torch.testing.assert_close(MatmulAdaptiveAvgPool(bins)(maps), nn.AdaptiveAvgPool2d(bins)(maps))


def test_pyramid_pooling_is_exported_for_any_size():
    head = dict(
        type='PSPHead', in_channels=16, in_index=1, channels=8, pool_scales=(1, 2, 3, 6),
        num_classes=8, loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    )  # fmt: skip
    model = deployable(tiny_student(decode_head=head))
    program = to_program(DeployedGraph(model).eval()).module()
    images = torch.randn(1, 3, 99, 53)
    torch.testing.assert_close(program(images), model(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    'changes',
    [
        dict(test_cfg=dict(mode='slide', crop_size=(32, 32), stride=(16, 16))),
    ],
)
def test_a_model_that_predicts_in_another_way_is_refused(changes):
    with pytest.raises(ValueError, match=r"sliding windows.*test_cfg.mode='whole'"):
        DeployedGraph(tiny_student(**changes))


def test_padding_does_not_go_into_the_graph(student):
    student.data_preprocessor.test_cfg = dict(size_divisor=32)
    try:
        with pytest.raises(ValueError, match='Padding'):
            DeployedGraph(student, image_in=True)
    finally:
        student.data_preprocessor.test_cfg = None


def test_a_file_that_is_no_export_is_a_clear_error(student, tmp_path):
    with pytest.raises(ValueError, match=r'model\.pth is no exported model.*\.onnx, \.xml, \.pt2'):
        load_runtime(tmp_path / 'model.pth')
    with pytest.raises(FileNotFoundError, match=r'No exported model at .*model\.onnx'):
        load_runtime(tmp_path / 'model.onnx')
    program = torch.export.export(nn.Identity(), (torch.zeros(1),))
    torch.export.save(program, tmp_path / 'model.pt2')
    with pytest.raises(ValueError, match=r'model\.pt2 has no metadata.*tools/export\.py'):
        load_runtime(tmp_path / 'model.pt2')


def test_a_missing_library_is_named_with_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    (tmp_path / 'model.onnx').touch()
    expected = r"onnxruntime is not installed: pip install 'segkd_mm\[deploy\]'"
    with pytest.raises(ImportError, match=expected):
        load_runtime(tmp_path / 'model.onnx')
    with pytest.raises(ImportError, match=expected):
        export_libraries('onnx', 'fp32')


def test_files_are_kept_together_or_not_at_all(tmp_path):
    out = tmp_path / 'made' / 'model.xml'
    with written_if_valid(out) as aside:
        aside.write_text('new')
        aside.with_suffix('.bin').write_text('weights')
    assert (out.read_text(), out.with_suffix('.bin').read_text()) == ('new', 'weights')
    with pytest.raises(RuntimeError), written_if_valid(out) as aside:
        aside.write_text('broken')
        raise RuntimeError
    assert out.read_text() == 'new'
    assert sorted(file.name for file in out.parent.iterdir()) == ['model.bin', 'model.xml']


def test_a_folder_replaces_that_of_an_earlier_export(tmp_path):
    out = tmp_path / 'model.mlpackage'
    for content in ('old', 'new'):
        with written_if_valid(out) as aside:
            aside.mkdir()
            (aside / content).write_text(content)
            (aside / 'Data').mkdir()
            (aside / 'Data/weights').write_text('123')
            (aside / 'Manifest.json').write_text('{}')
    assert files_of(out) == [out / 'Data/weights', out / 'Manifest.json', out / 'new']
    assert [*tmp_path.iterdir()] == [out]

    (tmp_path / 'model.onnx').mkdir()  # a folder of somebody
    (tmp_path / 'model.onnx/mine').write_text('mine')
    with pytest.raises(OSError), written_if_valid(tmp_path / 'model.onnx') as aside:
        aside.write_text('a model')
    assert (tmp_path / 'model.onnx/mine').read_text() == 'mine'


@pytest.mark.slow
def test_bf16_and_int8_of_a_trained_model_on_real_images(real_data, tmp_path):
    """DeepLabV3 with MobileNetV2, int8 calibrated on a few training images."""
    config = load_config('teacher/deeplabv3_mnv2_voc.py', {'data_root': f'{real_data}/voc/VOC2012'})
    model = deployable(MODELS.build(config.model)).eval()
    state = read_state_dict(real_data / 'weights/deeplabv3_mobilenet_v2_voc.pth')
    model.load_state_dict(rename_keys(state, TEACHER_KEYS, 'the weights'))
    graph = DeployedGraph(model, image_in=True).eval()
    exported = to_onnx(to_program(graph, torch.uint8))
    calibration, images = (
        images_of_split(config, 'train', 4, seed=0),
        images_of_split(config, 'val', 2),
    )
    calibration = ModelInputs(calibration, model.data_preprocessor, True)
    found = {}
    for precision in ('bf16', 'int8'):
        if precision == 'int8':
            exported = quantise(exported, calibration)
        metadata = {**graph.describe(), **NAMES, 'precision': precision}
        SAVERS['openvino'](exported, tmp_path / f'{precision}.xml', metadata)
        runtime = load_runtime(tmp_path / f'{precision}.xml')
        found[precision] = measure_parity(model, runtime, images)
    assert found['bf16'].torch_miou > 50
    assert found['bf16'].violations(BOUNDS['bf16']) == []
    assert 0.005 < found['int8'].labels_differ < 0.05
    assert abs(found['int8'].miou - found['int8'].torch_miou) < 5
    sizes = [(tmp_path / f'{precision}.bin').stat().st_size for precision in found]
    assert sizes[1] < 0.3 * sizes[0]


def test_a_file_of_one_size_labels_images_of_any_size(student, tmp_path):
    graph = DeployedGraph(student, image_in=True, labels_out=True, size=(64, 96)).eval()
    file = tmp_path / 'model.onnx'
    SAVERS['onnx'](
        to_format(graph, 'onnx'), file, {**graph.describe(), **NAMES, 'precision': 'fp32'}
    )
    shape = onnx.load(file).graph.input[0].type.tensor_type.shape.dim
    assert [side.dim_value for side in shape] == [1, 3, 64, 96]

    images = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    runtime = load_runtime(file)
    with torch.no_grad():
        expected = graph(images).long()
    assert torch.equal(runtime(images), expected)
    enlarged = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    resized = F.interpolate(enlarged, (64, 96), mode='bilinear', antialias=True)
    labels = runtime(enlarged)
    assert labels.shape == (2, 128, 192) and labels.dtype == torch.int64
    assert torch.equal(labels[:, ::2, ::2], runtime(resized))
