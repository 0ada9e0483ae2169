"""`segkd serve`: label maps as predict gives them; what is wrong is refused, and it goes on."""

import io
import json
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import cv2
import numpy as np
import openvino
import openvino.opset8
import pytest
import rasterio
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from PIL import Image
from run_command import run_command

import segkd_mm
from segkd_mm.cli.serve import listening
from segkd_mm.config import load_config
from segkd_mm.deploy import Predictor
from segkd_mm.deploy.loading import class_names
from segkd_mm.deploy.runtime import METADATA, ImageSizeError
from segkd_mm.serve.app import create_app
from segkd_mm.serve.limits import Limits
from segkd_mm.visualize.band_pictures import read_picture
from segkd_mm.visualize.videos import named_overlay

pytest.importorskip('fastapi')
from fastapi.testclient import TestClient

GUIDE = Path(__file__).parents[2] / 'docs' / 'serve.md'
CONFIG = 'student/mnv3s_slim_shapes.py'
NORMALISATION = {'mean': [120.0] * 3, 'std': [60.0] * 3, 'bgr_to_rgb': True, 'test_cfg': None}
KIND = {'input': 'normalised', 'output': 'logits', 'align_corners': False, 'precision': 'fp32'}
LONGEST = 60  # seconds, on a busy machine
LIMITS = Limits(max_bytes=50_000, max_pixels=40_000, seconds=LONGEST, places=2)


@pytest.fixture(scope='module')
def file(tmp_path_factory):
    """A model of one layer as a file of OpenVINO: an export takes longer than all tests here."""
    images = openvino.opset8.parameter([-1, 3, -1, -1], np.float32)
    weights = np.random.default_rng(0).normal(size=(8, 3, 1, 1)).astype(np.float32)
    strides, pads = [4, 4], [0, 0]
    logits = openvino.opset8.convolution(images, weights, strides, pads, pads, [1, 1])
    model = openvino.Model([logits], [images])
    names = class_names(load_config(CONFIG))
    about = {'classes': names['classes'], 'palette': names['palette'], **NORMALISATION, **KIND}
    model.set_rt_info(json.dumps(about), METADATA)
    path = tmp_path_factory.mktemp('exported') / 'student.xml'
    openvino.save_model(model, path)
    return path


@pytest.fixture(scope='module')
def predictor(file):
    return segkd_mm.load(file)


@pytest.fixture
def pixels(shapes):
    """An image of odd size."""
    return cv2.resize(cv2.imread(str(min((shapes / 'JPEGImages').glob('val_*.jpg')))), (151, 90))


def served(predictor, limits=LIMITS):
    """A client of a service in this process; faults become answers, as in a process of its own."""
    return TestClient(create_app(predictor, limits), raise_server_exceptions=False)


def encoded(ending, pixels):
    return cv2.imencode(ending, pixels)[1].tobytes()


def decoded(png):
    return np.asarray(Image.open(io.BytesIO(png)))


def saved(kind, image, **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def png_head(width, height):
    """The start of a PNG that says that it has so many pixels."""
    one = saved('PNG', Image.new('1', (1, 1)))
    head = b'IHDR' + struct.pack('>II', width, height) + one[24:29]
    return one[:12] + head + struct.pack('>I', zlib.crc32(head)) + one[33:]


@pytest.mark.slow
def test_label_maps_are_those_of_predict(file, predictor, pixels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('images').mkdir()
    for ending in '.jpg', '.tif':
        Path(f'images/{ending[1:]}{ending}').write_bytes(encoded(ending, pixels))
    run_command('predict', CONFIG, file, 'images', '--masks', '--out', 'out', '--device', 'cpu')
    with served(predictor) as client:
        for image in Path('images').iterdir():
            labels = client.post('/predict', content=image.read_bytes())
            assert labels.headers['content-type'] == 'image/png'
            assert labels.content == Path(f'out/masks/{image.stem}.png').read_bytes()
            form = client.post('/predict', files={'image': image.read_bytes()})
            assert form.content == labels.content
            picture = client.post('/predict?overlay=true', content=image.read_bytes())
            shown, ids = (decoded(one.content) for one in (picture, labels))
            names = predictor.classes, predictor.palette
            assert np.array_equal(shown, named_overlay(read_picture(image), ids, *names))
        about, metrics = client.get('/model').json(), client.get('/metrics').text
    assert (about['file'], about['classes']) == ('student.xml', list(predictor.classes))
    assert 'segkd_requests_total{status="200"} 6.0' in metrics


def bad_uploads(pixels):
    """Uploads by what is wrong with them: body, status, and words of the answer."""
    png, noise = encoded('.png', pixels), np.random.default_rng(0).bytes(60_000)
    rgba = Image.fromarray(pixels).convert('RGBA')
    return {
        'empty': (b'', 400, 'an empty body'),
        'text': (b'no image', 415, '8 bytes that begin no such image'),
        'another format': (saved('GIF', Image.fromarray(pixels)), 415, 'JPEG, PNG'),
        'cut PNG': (png[:5000], 422, '5000 bytes that cannot be decoded'),
        'cut JPEG': (encoded('.jpg', pixels)[:-900], 422, 'bytes that cannot be decoded'),
        'large': (noise, 413, 'a body of 60000 bytes'),
        'large, of unknown size': (iter([noise]), 413, 'a body of more than 50000 bytes'),
        'bomb': (png_head(20_000, 20_000), 413, '20000 x 20000 pixels'),
        'huge bomb': (png_head(60_000, 60_000), 413, 'billions of pixels'),
        '16 bits': (encoded('.png', pixels[:40, :40].astype(np.uint16) * 256), 422, 'uint16'),
        'alpha': (saved('PNG', rgba), 422, r'transparency \(RGBA\)'),
    }


@pytest.mark.slow
def test_bad_requests_are_refused_in_words_and_the_service_goes_on(predictor, pixels):
    with served(predictor) as client:
        answers = {
            name: (client.post('/predict', content=body), status, words)
            for name, (body, status, words) in bad_uploads(pixels).items()
        }
        answers |= {
            'method': (client.get('/predict'), 405, 'POST /predict'),
            'path': (client.get('/nowhere'), 404, 'POST /predict'),
            'query': (client.post('/predict?overlay=x', content=b'x'), 422, 'overlay=x'),
            'form': (client.post('/predict', files={'a': (None, 'b')}), 400, 'without a file'),
        }
        for name, (answer, status, words) in answers.items():
            assert answer.status_code == status, name
            assert [*answer.json()] == ['found', 'expected', 'what_to_do'], name
            assert re.search(words, answer.text), (name, answer.text)
        assert client.post('/predict', content=encoded('.png', pixels)).status_code == 200


class FirstBand(torch.nn.Module):
    """A model of four bands, in place of an exported one: the first band is the label.

    It takes no image of a single pixel's width, as a .pt2 file.
    """

    runtime = SimpleNamespace(
        channels=4, path=Path('bands.onnx'), engine='none',
        metadata={'precision': 'fp32', 'loader': dict(type='LoadBands', channels=4)},
    )  # fmt: skip

    def test_step(self, batch):
        labels = batch['inputs'][0][:1].long()
        if labels.shape[-1] == 1:
            raise ImageSizeError('model.pt2', (1, 9))
        return [SegDataSample(pred_sem_seg=PixelData(data=labels))]


def tiff(bands, width=8):
    with rasterio.MemoryFile() as file:
        shape = dict(count=bands, height=9, width=width, dtype='uint16')
        with file.open(driver='GTiff', **shape) as opened:
            opened.write(np.ones((bands, 9, width), np.uint16))
        return file.read()


def test_a_model_of_bands_takes_tiffs_of_so_many():
    steps = [dict(type='LoadBands', channels=4), dict(type='PackSegInputs')]
    bands = Predictor(FirstBand(), steps, 'ab', [(0, 0, 0), (9, 9, 9)])
    with served(bands) as client:
        labels = client.post('/predict', content=tiff(4))
        assert decoded(labels.content).tolist() == [[1] * 8] * 9
        other, grey = (client.post('/predict', content=one) for one in
                       (tiff(5), encoded('.png', np.ones((9, 8), np.uint8))))  # fmt: skip
        small = client.post('/predict', content=tiff(4, width=1))
    assert (small.status_code, small.json()['found']) == (422, '1 x 9 pixels at once')
    assert '/srv' not in small.text
    assert (other.status_code, other.json()['found']) == (422, 'a TIFF of 5 bands')
    assert (grey.status_code, grey.json()['found']) == (422, '[9, 8, 1] of uint8')


class Held:
    """A predictor whose label maps come when they are let go."""

    classes, palette = ('a',), [(0, 0, 0)]
    model = FirstBand()

    def __init__(self):
        self.began, self.go = Event(), Event()

    def predict(self, file):
        self.began.set()
        assert self.go.wait(LONGEST)
        return np.zeros((2, 2), np.uint8)


def until(condition):
    """Wait until a condition holds."""
    end = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def length_is(client, number):
    return f'segkd_queue_length {number}.0' in client.get('/metrics').text


def test_a_full_queue_is_said_at_once_and_other_endpoints_answer(pixels):
    held, body = Held(), encoded('.png', pixels)
    with served(held) as client, ThreadPoolExecutor(2) as pool:
        sent = [pool.submit(client.post, '/predict', content=body) for _ in range(2)]
        until(lambda: length_is(client, 2))
        refused = client.post('/predict', content=body)
        assert client.get('/health').json() == {'status': 'ok'}
        held.go.set()
        assert [one.result().status_code for one in sent] == [200, 200]
        assert length_is(client, 0)
    assert (refused.status_code, refused.headers['retry-after']) == (503, '1')
    assert refused.json()['found'] == '2 requests before this one'


def test_a_request_whose_time_is_over_keeps_its_place_until_its_work_ends(pixels):
    held, limits = Held(), Limits(seconds=0.1, places=1)
    with served(held, limits) as client:
        late = client.post('/predict', content=encoded('.png', pixels))
        assert (late.status_code, late.json()['found']) == (503, 'no label map after 0.1 s')
        assert held.began.is_set() and length_is(client, 1)
        held.go.set()
        until(partial(length_is, client, 0))


def test_a_fault_is_no_traceback_to_the_client(pixels, monkeypatch):
    held = Held()
    monkeypatch.setattr(held, 'predict', None)
    with served(held) as client:
        failed = client.post('/predict', content=encoded('.png', pixels))
    assert failed.status_code == 500
    assert 'Its log has the reason' in failed.json()['what_to_do']
    assert 'NoneType' not in failed.text


def test_what_cannot_be_served_is_an_error_at_the_start(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r'best\.pth: expected a file of `.*export'):
        run_command('serve', tmp_path / 'best.pth')
    with listening('127.0.0.1', 0) as other, pytest.raises(OSError, match='is in use: give'):
        listening('127.0.0.1', other.getsockname()[1])
    with pytest.raises(OSError, match=r'Cannot listen on nowhere\.invalid, port 0'):
        listening('nowhere.invalid', 0)
    monkeypatch.setitem(sys.modules, 'fastapi', None)
    with pytest.raises(ImportError, match=r"fastapi is not .*pip install 'segkd_mm\[serve\]'"):
        create_app(Held(), LIMITS)


@pytest.mark.slow
def test_at_sigterm_a_process_answers_what_it_has_and_ends(
    file, predictor, pixels, tmp_path, monkeypatch
):
    """Before it, the guide's call."""
    monkeypatch.chdir(tmp_path)
    Path('street.jpg').write_bytes(encoded('.jpg', pixels))
    command = [sys.executable, '-m', 'segkd_mm', 'serve', str(file), '--port', '0']
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        ready, call = process.stdout.readline(), process.stdout.readline()
        address = re.search(r'http://(127\.0\.0\.1:\d+) until Ctrl-C or SIGTERM', ready)[1]
        assert f'--data-binary @image.jpg http://{address}/predict' in call
        guide = GUIDE.read_text().replace('127.0.0.1:8000', address)
        (code,) = re.findall(r'^```python\n(.*?)^```', guide, re.MULTILINE | re.DOTALL)
        exec(code, names := {})
        assert np.array_equal(names['labels'], predictor.predict('street.jpg'))
        body, connection = encoded('.png', pixels), HTTPConnection(address, timeout=LONGEST)
        connection.putrequest('POST', '/predict')
        connection.putheader('Content-Length', str(len(body)))
        connection.endheaders(body[:1000])
        until(lambda: b'length 1.0' in get(address, '/metrics'))
        process.send_signal(signal.SIGTERM)
        connection.send(body[1000:])
        assert connection.getresponse().status == 200
        assert process.communicate(timeout=LONGEST)[0].startswith('Stopped')
    assert process.returncode == 0


def get(address, path):
    connection = HTTPConnection(address, timeout=LONGEST)
    connection.request('GET', path)
    return connection.getresponse().read()
