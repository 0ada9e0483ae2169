import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmseg.registry import MODELS
from PIL import Image
from tiny_student import MODEL, tiny_student

import segkd_mm
from segkd_mm.config import load_config
from segkd_mm.datasets.sample_error import SampleError
from segkd_mm.deploy.export import SAVERS, export_metadata, to_format
from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.loading import check_classes, deployable
from segkd_mm.deploy.windows import in_windows
from segkd_mm.weights import WeightsError

REPO = Path(__file__).parents[2]
CONFIG = 'student/mnv3s_slim_shapes.py'
# What needs a runtime alone is run by test_export.py.
EXPORT_GUIDE = (REPO / 'docs/export.md').read_text().split('### Without this package')[0]


@pytest.fixture(scope='module')
def student():
    return tiny_student()


@pytest.fixture
def config():
    config = load_config(CONFIG)
    config.model = ConfigDict(MODEL)
    return config


@pytest.fixture
def checkpoint(student, tmp_path):
    torch.save({'state_dict': student.state_dict()}, tmp_path / 'student.pth')
    return tmp_path / 'student.pth'


@pytest.fixture
def image(shapes, tmp_path):
    """An image of odd size, without loss."""
    pixels = cv2.imread(str(sorted((shapes / 'JPEGImages').glob('val_*.jpg'))[0]))
    path = tmp_path / 'image.png'
    cv2.imwrite(str(path), cv2.resize(pixels, (151, 90)))
    return path


def labels_of(student, image):
    """The definition: argmax of the logits of the normalised image, upsampled to its size."""
    rgb = cv2.imread(str(image))[..., ::-1]
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    inputs = torch.tensor((rgb - mean) / std, dtype=torch.float32).permute(2, 0, 1)
    with torch.no_grad():
        logits = student(inputs[None])
    return F.interpolate(logits, rgb.shape[:2], mode='bilinear').argmax(1)[0].numpy()


def test_a_checkpoint_predicts_files_arrays_and_lists_of_them(config, student, checkpoint, image):
    predictor = segkd_mm.load(config, checkpoint)
    label_map = predictor.predict(image)
    assert label_map.dtype == np.uint8
    assert label_map.shape == (90, 151)
    assert len(np.unique(label_map)) > 1
    assert (label_map == labels_of(student, image)).mean() > 0.999
    several = predictor.predict([str(image), cv2.imread(str(image))])
    assert [np.array_equal(one, label_map) for one in several] == [True, True]
    assert predictor.classes[:2] == ('background', 'disc')
    assert [len(colour) for colour in predictor.palette] == 8 * [3]


def test_a_distillation_config_loads_its_student_without_its_teacher(
    config, student, checkpoint, image, tmp_path
):
    distilled = load_config('kd/response_kd_shapes.py')
    distilled.model.student = config.model
    distilled.model.teacher.checkpoint = '/nowhere.pth'
    torch.save({**student.state_dict(), 'terms.a.weight': torch.ones(1)}, tmp_path / 'kd.pth')
    found = segkd_mm.load(distilled, tmp_path / 'kd.pth').predict(image)
    assert np.array_equal(found, segkd_mm.load(config, checkpoint).predict(image))


@pytest.fixture
def exported(config, tmp_path):
    return exported_from(config, tmp_path)


def exported_from(config, tmp_path):
    graph = DeployedGraph(deployable(tiny_student()), image_in=True, labels_out=False)
    metadata = export_metadata(graph, config, 'torch-export', 'fp32')
    file = tmp_path / 'student.pt2'
    SAVERS['torch-export'](to_format(graph.eval(), 'torch-export'), file, metadata)
    return file


@pytest.mark.slow
def test_an_exported_file_predicts_alone_or_by_the_pipeline_of_its_config(
    config, checkpoint, exported, image, tmp_path, monkeypatch, capsys
):
    wanted = segkd_mm.load(config, checkpoint)
    alone = segkd_mm.load(exported)
    assert np.array_equal(alone.predict(image), wanted.predict(image))
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r'^```python\n(.*?)^```', EXPORT_GUIDE, re.MULTILINE | re.DOTALL):
        found = {}
        exec(block.replace('best_int8.xml', exported.name).replace('street.jpg', str(image)), found)
        assert np.array_equal(found['label_map'], wanted.predict(image))
        assert capsys.readouterr().out.strip() == wanted.classes[found['label_map'][0, 0]]
    assert (alone.classes, alone.palette) == (wanted.classes, wanted.palette)
    cv2.imwrite(str(small := tmp_path / 'small.png'), np.zeros((1, 1, 3), np.uint8))
    assert wanted.predict(small).shape == (1, 1)
    with pytest.raises(SampleError, match=r'small\.png: found 1 x 1 pixels at once, expected a'):
        alone.predict(small)
    with in_windows(alone.model, 64), in_windows(wanted.model, 64):
        assert np.array_equal(alone.predict(image), wanted.predict(image))
    resize = dict(type='Resize', scale=(100, 60), keep_ratio=False)
    config.test_dataloader.dataset.pipeline.insert(1, resize)
    half = segkd_mm.load(config, exported).predict(image)
    assert half.shape == (90, 151)
    assert np.array_equal(half, segkd_mm.load(config, checkpoint).predict(image))
    assert not np.array_equal(half, wanted.predict(image))
    assert np.array_equal(half, segkd_mm.load(exported_from(config, tmp_path)).predict(image))
    thin = tmp_path / 'thin.png'
    cv2.imwrite(str(thin), np.zeros((1, 3000, 3), np.uint8))
    resize.update(scale_factor=0.25, keep_ratio=True)
    del resize['scale']
    predictor = segkd_mm.load(config, checkpoint)
    for name, one in (('thin.png', thin), ('the array', cv2.imread(str(thin)))):
        with pytest.raises(SampleError, match=f'{name}: found an image that OpenCV cannot'):
            predictor.predict(one)
    with pytest.raises(ValueError, match=r'student\.pt2 holds its weights: leave .*student\.pth'):
        segkd_mm.load(exported, checkpoint)


def test_a_file_for_other_classes_is_refused():
    runtime = type('Runtime', (), {'metadata': {'classes': ['cat', 'dog']}, 'path': 'a.onnx'})
    check_classes(runtime, ('cat', 'dog'))
    with pytest.raises(ValueError, match=r"a\.onnx has the classes \['cat', 'dog'\]"):
        check_classes(runtime, ('cat', 'cow'))


def test_what_cannot_be_loaded_or_predicted_is_an_error(config, student, checkpoint, tmp_path):
    with pytest.raises(ValueError, match=r'slim_shapes\.py names no weights: give a checkpoint'):
        segkd_mm.load(CONFIG)
    with pytest.raises(WeightsError, match='does not fit'):
        segkd_mm.load(CONFIG, checkpoint)
    predictor = segkd_mm.load(config, checkpoint)
    with pytest.raises(FileNotFoundError, match='nowhere'):
        predictor.predict('/nowhere.jpg')
    (tmp_path / 'empty.jpg').touch()
    with pytest.raises(SampleError, match=r'empty\.jpg: found an empty file'):
        predictor.predict(tmp_path / 'empty.jpg')
    with pytest.raises(ValueError, match=r'is float64 \[4, 4, 3\], expected uint8 \[H, W, 3\]'):
        predictor.predict(np.zeros((4, 4, 3)))


def test_wrapped_test_data_serve_and_an_image_of_pil_is_an_error(config, checkpoint, image):
    plain = config.test_dataloader.dataset
    config.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[plain, plain])
    model = segkd_mm.load(config, checkpoint)
    assert model.classes[1] == 'disc' and model.predict(image).ndim == 2
    with pytest.raises(TypeError, match=r'The image is a PngImageFile, expected a file.*convert'):
        model.predict(Image.open(image))
    config.test_dataloader = None
    with pytest.raises(ValueError, match='found test_dataloader=None, expected a dict'):
        segkd_mm.load(config, checkpoint)


def test_the_three_lines_of_the_readme(image, tmp_path, monkeypatch):
    (code,) = re.findall(r'```python\n(import segkd_mm\n.*?)```', (REPO / 'README.md').read_text(),
                         re.DOTALL)  # fmt: skip
    config, weights = re.findall(r"'([^']+\.(?:py|pth))'", code)
    model = load_config(config).model
    state = MODELS.build(model).state_dict()
    monkeypatch.chdir(tmp_path)
    Path(weights).parent.mkdir(parents=True)
    torch.save(state, weights)
    cv2.imwrite('image.jpg', cv2.imread(str(image)))
    names = {}
    exec(code, names)
    assert names['label_map'].shape == (90, 151)
