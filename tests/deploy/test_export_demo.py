"""The demo in the browser: labels are those of Python; what it cannot show is refused."""

import io
import json
import shutil
import subprocess
import tarfile
from base64 import b64encode
from hashlib import sha512
from pathlib import Path
from threading import Event, Thread

import cv2
import numpy as np
import onnx
import pytest
from mmcv.image import imrescale
from run_command import run_command

import segkd_mm
from segkd_mm.deploy.demo import DemoHandler, browser_runtime, build_demo, demo_server
from segkd_mm.deploy.demo.browser_runtime import FILES, cached_archive, runtime_archive
from segkd_mm.formats import BOUNDS

pytestmark = pytest.mark.slow

VOC_IMAGE = 'voc/VOC2012/JPEGImages/2007_002648.jpg'

# Sends the label map of each example as a PNG, then what the page says of a file that is no image.
STEPS = """
import {predict, started} from './demo.js';
import {greyPng} from './png.js';
const send = (to, body) => fetch(to, {method: 'POST', body});
try {
  await started;
  const {examples} = await (await fetch('demo.json')).json();
  for (const {name, file} of examples) {
    const {labels, width, height} = await predict(await (await fetch(file)).blob(), name);
    await send(`${name}`, await greyPng(labels, width, height));
  }
  const choose = new DataTransfer();
  choose.items.add(new File(['x'], 'bad.png', {type: 'image/png'}));
  document.getElementById('files').files = choose.files;
  document.getElementById('files').dispatchEvent(new Event('change'));
  const message = document.getElementById('message');
  while (message.hidden) await new Promise((done) => setTimeout(done, 10));
  await send('message', message.textContent);
  await send('about', document.getElementById('about').textContent);
} catch (error) {
  await send('error', `${error} ${document.getElementById('message').textContent}`);
}
if (location.pathname.startsWith('/logits/')) location.href = '../labels/';
else if (location.pathname.startsWith('/labels/')) location.href = '../resized/';
else await send('done', '');
"""


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive with the files of the runtime, and others, at an address; torch.hub's folder."""
    path = tmp_path / 'server' / 'onnxruntime-web.tgz'
    path.parent.mkdir()
    with tarfile.open(path, 'w:gz') as tar:
        for name in ('../evil.js', *FILES, 'ort.all.js'):
            member = tarfile.TarInfo(f'package/dist/{name}')
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    digest = b64encode(sha512(path.read_bytes()).digest()).decode()
    monkeypatch.setattr(browser_runtime, 'URL', path.as_uri())
    monkeypatch.setattr(browser_runtime, 'SHA512', digest)
    monkeypatch.setattr('torch.hub._hub_dir', str(tmp_path / 'hub'))
    return path


def test_the_runtime_is_downloaded_once_and_checked(archive, logits_of, tmp_path, capsys):
    file = logits_of['onnx'].path
    assert run_command('demo', file, '--out', tmp_path / 'demo') == 0
    assert 'Downloading file:' in capsys.readouterr().out
    found = {path.name for path in (tmp_path / 'demo' / 'runtime').iterdir()}
    assert found == set(FILES)
    assert not list(tmp_path.rglob('evil.js'))
    with pytest.raises(FileExistsError, match='give --out another folder'):
        run_command('demo', file, '--out', tmp_path / 'demo')
    archive.write_bytes(b'another')  # the first is kept
    assert runtime_archive() == cached_archive()
    with pytest.raises(RuntimeError, match=r'is not onnxruntime-web .* its SHA-512 is'):
        runtime_archive(archive)
    cached_archive().unlink()
    with pytest.raises(RuntimeError, match='is not onnxruntime-web'):
        runtime_archive()
    assert not cached_archive().exists()
    archive.unlink()
    with pytest.raises(RuntimeError, match=r'Could not download .*--runtime onnxruntime-web\.tgz'):
        runtime_archive()
    assert not list((tmp_path / 'hub').rglob('*.tgz'))


def test_what_the_page_cannot_show_is_refused(archive, logits_of, tmp_path):
    for to in ('openvino', 'torch-export'):
        with pytest.raises(ValueError, match=r'runs \.onnx files alone.*--to onnx'):
            run_command('demo', logits_of[to].path)
    model = onnx.load(logits_of['onnx'].path)
    for change, found in (
        ({'channels': 4, 'loader': {'type': 'LoadBands'}}, '4 channels, loaded by LoadBands'),
        ({'size': [64, 96]}, r'64 x 96 alone.*without --size'),
    ):
        metadata = {**logits_of['onnx'].metadata, **change}
        onnx.helper.set_model_props(model, {'segkd_mm': json.dumps(metadata)})
        onnx.save(model, tmp_path / 'other.onnx')
        with pytest.raises(ValueError, match=f'takes images of {found}'):
            run_command('demo', tmp_path / 'other.onnx')
    assert not (tmp_path / 'hub').exists()  # nothing was downloaded for it
    other = demo_server(tmp_path, 0)
    with other, pytest.raises(OSError, match='is in use: give another by --port'):
        demo_server(tmp_path, other.server_port)


def posts_of(folder: Path, start: str, profile: Path) -> dict[str, bytes]:
    """What pages in a folder send, by path, when Chromium opens one, until one sends ``done``."""
    found, done = {}, Event()

    class Handler(DemoHandler):
        def do_POST(self) -> None:
            found[self.path] = self.rfile.read(int(self.headers['Content-Length']))
            self.send_response(200)
            self.end_headers()
            if self.path.endswith('/done'):
                done.set()

    with demo_server(folder, 0, Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f'http://localhost:{server.server_port}/{start}'
        words = ['--headless', '--no-sandbox', '--disable-gpu', f'--user-data-dir={profile}']
        with subprocess.Popen(['chromium', *words, address], stderr=subprocess.DEVNULL) as browser:
            assert done.wait(120), found.keys()
            browser.terminate()
        server.shutdown()
    return found


@pytest.mark.skipif(not shutil.which('chromium'), reason='no chromium, whose package Debian has')
def test_labels_in_a_browser_are_those_of_python(logits_of, labels_of, real_data, tmp_path):
    if not cached_archive().exists():
        pytest.skip('no archive of ONNX Runtime Web; any `segkd demo` downloads it')
    images = []
    for name, size in (('camvid/test/0001TP_008550.jpg', (301, 225)), (VOC_IMAGE, (250, 250))):
        images.append(tmp_path / f'{Path(name).stem}.png')
        pixels = cv2.resize(cv2.imread(str(real_data / name)), size)
        cv2.imwrite(str(images[-1]), pixels)
    resized = tmp_path / 'resized.onnx'
    model = onnx.load(logits_of['onnx'].path)
    resize = dict(type='Resize', scale=(200, 120), keep_ratio=True)
    metadata = {**logits_of['onnx'].metadata, 'resize': resize}
    onnx.helper.set_model_props(model, {'segkd_mm': json.dumps(metadata)})
    onnx.save(model, resized)
    files = {
        'logits': logits_of['onnx'].path, 'labels': labels_of['onnx'].path, 'resized': resized,
    }  # fmt: skip
    for kind, file in files.items():
        folder = tmp_path / 'demos' / kind
        build_demo(file, cached_archive(), folder, images)
        (folder / 'steps.js').write_text(STEPS)
        with (folder / 'index.html').open('a') as page:
            page.write('<script type="module" src="steps.js"></script>')
    sent = posts_of(tmp_path / 'demos', 'logits/', tmp_path / 'profile')
    assert [path for path in sent if path.endswith('error')] == [], sent
    for kind, file in files.items():
        assert sent[f'/{kind}/message'] == b'bad.png is not an image that this browser can read.'
        assert b'8 classes' in sent[f'/{kind}/about']
        for image in images:
            png = np.frombuffer(sent[f'/{kind}/{image.name}'], np.uint8)
            found = cv2.imdecode(png, cv2.IMREAD_UNCHANGED)
            expected = segkd_mm.load(file).predict(image)
            assert len(np.unique(expected)) > 2
            if kind == 'resized':  # the page shows the resized image
                small = imrescale(cv2.imread(str(image)), resize['scale'])
                expected = segkd_mm.load(files['logits']).predict(small)
            # A browser does not resize images as OpenCV does.
            bound = 0.1 if kind == 'resized' else BOUNDS['fp32'].labels
            assert found.shape == expected.shape
            assert (found != expected).mean() <= bound
