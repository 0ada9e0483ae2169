import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hub_stand_in import hub_stand_in
from huggingface_hub import ModelCard, constants
from mmengine.registry import init_default_scope
from mmseg.apis import inference_model
from mmseg.registry import MODELS
from run_command import run_command

import segkd_mm
from segkd_mm.config import load_config
from segkd_mm.deploy.model_folder import without_initial_weights
from segkd_mm.results.files import checkpoint_digest, write_result

pytestmark = pytest.mark.slow

CONFIG = 'kd/response_kd_shapes.py'
NOISE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A student with random weights, an adapter of its distillation, and a test result."""
    init_default_scope('mmseg')
    torch.manual_seed(1)
    model = MODELS.build(load_config('student/mnv3s_slim_shapes.py').model)
    model.decode_head.conv_seg.weight.data.mul_(20)
    path = tmp_path_factory.mktemp('run') / 'best.pth'
    torch.save({'state_dict': {**model.state_dict(), 'terms.a.weight': torch.ones(1)}}, path)
    scores = {'per_class': {'background': 90.0, 'disc': 31.25}, 'metrics': {'mIoU': 60.625}}
    facts = {'dataset': 'ShapesDataset', 'split': 'test', 'images': 7, 'parameters': 1234}
    digest = {'checkpoint_sha256': checkpoint_digest(path)}
    write_result(path.parent / 'test_test.json', {**scores, **facts, **digest})
    return path


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv('no_proxy', '*')
    monkeypatch.setattr(constants, 'HF_HUB_CACHE', str(tmp_path / 'cache'))
    with hub_stand_in() as server:
        monkeypatch.setattr(constants, 'ENDPOINT', server.address)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE
        files = template.replace('https://huggingface.co', server.address)
        monkeypatch.setattr(constants, 'HUGGINGFACE_CO_URL_TEMPLATE', files)
        yield server


def test_a_model_that_is_pushed_is_loaded_from_the_hub_and_by_mmseg(
    checkpoint, hub, tmp_path, capsys, monkeypatch
):
    start = f'model.student.backbone.weights={tmp_path}/start.pth', 'load_from=start.pth'
    paths = f'data_root={tmp_path}/data', f'work_dir={tmp_path}/runs'
    out = '--private', '--out', tmp_path / 'out', '--cfg-options', *start, *paths
    run_command('push', CONFIG, checkpoint, 'me/model', *out)
    said = capsys.readouterr().out
    assert f'Shared: {hub.address}/me/model' in said
    assert hub.created[0]['visibility'] == 'private'
    assert {*hub.files} == {'README.md', 'model.py', 'model.safetensors', 'segkd_mm.json'}
    assert not any(b'start.pth' in content for content in hub.files.values())
    model_files = hub.files['model.py'] + hub.files['segkd_mm.json']
    assert str(tmp_path).encode() not in model_files
    wanted = segkd_mm.load(CONFIG, checkpoint)
    shared = segkd_mm.load('hf://me/model')
    labels = wanted.predict(NOISE)
    assert len(np.unique(labels)) > 1
    assert np.array_equal(shared.predict(NOISE), labels)
    by_mmseg = segkd_mm.load(tmp_path / 'out/model.py', tmp_path / 'out/model.safetensors')
    for one in (shared, by_mmseg):
        assert (one.classes, one.palette) == (wanted.classes, wanted.palette)
    # As the card says; the block before it needs the real hub.
    _, block = re.findall(r'^```python\n(.*?)^```', hub.files['README.md'].decode(), re.M | re.S)
    monkeypatch.chdir(tmp_path / 'out')
    exec(block, namespace := {})
    model = namespace['model']
    assert np.array_equal(inference_model(model, NOISE).pred_sem_seg.data[0], labels)


def test_a_config_with_bases_of_the_installed_package_is_shared(checkpoint, tmp_path):
    config = tmp_path / 'mine.py'
    config.write_text(f"_base_ = 'segkd_mm::{CONFIG}'\n")
    out = tmp_path / 'out'
    run_command('push', config, checkpoint, 'me/model', '--out', out, '--no-upload')
    assert '_scope_' not in (out / 'segkd_mm.json').read_text()
    labels = segkd_mm.load(CONFIG, checkpoint).predict(NOISE)
    assert np.array_equal(segkd_mm.load(out).predict(NOISE), labels)


def test_weights_of_the_start_are_left_out_wherever_they_stand():
    pretrained, normal = dict(type='Pretrained', checkpoint='a.pth'), dict(type='Normal')
    necks = [dict(init_cfg=[pretrained]), dict(init_cfg=normal, weights='b.pth', taps=('x', 1))]
    model = dict(pretrained='c.pth', init_cfg=pretrained, neck=necks)
    left = [{}, dict(init_cfg=normal, taps=('x', 1))]
    assert without_initial_weights(model) == dict(neck=left)
    scoped = dict(type='mmengine.Pretrained', checkpoint='a.pth')
    timm = dict(type='TIMMBackbone', checkpoint_path='d.pth', init_cfg=scoped)
    assert without_initial_weights(timm) == dict(type='TIMMBackbone', pretrained=False)
    assert without_initial_weights(dict(pretrained=True)) == dict(pretrained=False)


def test_the_card_has_the_scores_of_these_weights_and_no_others(checkpoint, tmp_path):
    out = tmp_path / 'out'
    run_command('push', CONFIG, checkpoint, 'me/model', '--out', out, '--no-upload')
    card = ModelCard.load(out / 'README.md')
    (score,) = card.data.eval_results
    assert (score.metric_type, score.metric_value) == ('mean_iou', 60.62)
    assert '| disc       | 31.25 |' in card.text
    assert "segkd_mm.load('hf://me/model')" in card.text
    other = tmp_path / 'other.pth'
    other.write_bytes(Path(checkpoint).read_bytes())
    state = torch.load(other)
    state['state_dict']['decode_head.conv_seg.bias'] += 1
    torch.save(state, other)
    (tmp_path / 'test_test.json').write_bytes((checkpoint.parent / 'test_test.json').read_bytes())
    run_command('push', CONFIG, other, 'me/model', '--no-upload')
    assert 'It was not tested.' in (tmp_path / 'hub/README.md').read_text()


def test_a_hub_that_refuses_leaves_the_folder_and_says_what_to_do(checkpoint, hub, tmp_path):
    hub.refuses = 401
    with pytest.raises(OSError, match=r'Could not push to me/model \(.*401.*hf auth login'):
        run_command('push', CONFIG, checkpoint, 'me/model', '--out', tmp_path / 'out')
    assert len([*(tmp_path / 'out').iterdir()]) == 4


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        (dict(type='os.system', command='true'), 'is no registered segmentor'),
        (dict(type='Teacher', model='x.py', checkpoint='x', trusted=True), 'no registered segm'),
        (dict(type='EncoderDecoder', neck=[dict(type='antigravity')]), 'is no name of a regist'),
        (dict(type='EncoderDecoder', neck=[dict(type=['FCNHead'])]), 'is no name of a registered'),
        (dict(type='EncoderDecoder', backbone=dict(type='Teacher')), 'is no name of a registered'),
        (dict(type='EncoderDecoder', neck=dict(_scope_='antigravity')), "key '_scope_' could run"),
        (dict(type='EncoderDecoder', neck=dict(trusted=True)), "key 'trusted' could run code"),
    ],
)
def test_a_shared_folder_runs_no_code(model, message, tmp_path):
    content = dict(model=model, pipeline=[], classes=['a'], palette=[[0, 0, 0]])
    (tmp_path / 'segkd_mm.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        segkd_mm.load(tmp_path)


@pytest.mark.parametrize(
    ('text', 'message'),
    [('{', 'damaged, or not written by segkd push'), ('{}', 'has no classes, model, palette')],
)
def test_a_shared_folder_that_is_damaged_is_named(text, message, tmp_path):
    (tmp_path / 'segkd_mm.json').write_text(text)
    with pytest.raises(ValueError, match=f'segkd_mm.json.*{message}'):
        segkd_mm.load(tmp_path)


@pytest.mark.parametrize(
    ('name', 'there', 'message'),
    [
        ('model', None, 'model: expected OWNER/NAME'),
        ('me/mo del', None, 'me/mo del: '),
        ('me/model', 'notes.txt', 'notes.txt is there already: remove it'),
    ],
)
def test_what_cannot_be_pushed_is_said_before_any_work(name, there, message, tmp_path):
    if there:
        (tmp_path / there).touch()
    with pytest.raises((ValueError, FileExistsError), match=message):
        run_command('push', 'none.py', 'none.pth', name, '--out', tmp_path / (there or 'out'))
