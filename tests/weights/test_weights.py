import json
import os
import pickle
import zipfile
from copy import deepcopy
from fnmatch import fnmatch
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.runner.checkpoint import get_state_dict
from safetensors.torch import save_file
from torch import nn
from torchvision.models.segmentation import FCN_ResNet50_Weights

from segkd_mm.weights import (
    WeightsError,
    check_fit,
    leave_out_of_keys,
    load_strictly,
    read_state_dict,
    rename_keys,
)


def small_state():
    return {'a.weight': torch.arange(6.0).view(2, 3), 'a.bias': torch.tensor([7.0, 8])}


def assert_same(state, other):
    assert list(state) == list(other)
    for key, value in state.items():
        assert torch.equal(value, other[key]), key


class Payload:
    """A pickle of it calls os.system when it is read."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


# ---- what is read


@pytest.mark.parametrize(
    'wrap',
    [
        lambda state: state,
        lambda state: {'state_dict': state, 'meta': {'epoch': 3}},
        lambda state: {f'module.{key}': value for key, value in state.items()},
        lambda state: state | {'epoch': 3},
    ],
    ids=['plain', 'in a checkpoint', 'of DataParallel', 'beside other things'],
)
@pytest.mark.parametrize('zipped', [True, False])
def test_a_state_dict_is_read_however_it_was_saved(tmp_path, wrap, zipped):
    path = tmp_path / 'net.pth'
    torch.save(wrap(small_state()), path, _use_new_zipfile_serialization=zipped)
    assert_same(read_state_dict(path), small_state())


def test_a_safetensors_file_is_read(tmp_path):
    save_file(small_state(), tmp_path / 'net.safetensors')
    state = read_state_dict(tmp_path / 'net.safetensors')
    assert_same(dict(sorted(state.items())), dict(sorted(small_state().items())))


def save_in_parts(folder, suffix, save):
    """As Hugging Face libraries save a model that is too big for one file."""
    names = {'a.weight': f'part-1{suffix}', 'a.bias': f'part-2{suffix}'}
    for key, name in names.items():
        save({key: small_state()[key]}, folder / name)
    stem = 'model' if suffix == '.safetensors' else 'pytorch_model'
    (folder / f'{stem}{suffix}.index.json').write_text(json.dumps({'weight_map': names}))


@pytest.mark.parametrize('parts', [False, True])
@pytest.mark.parametrize(
    ('name', 'save'), [('model.safetensors', save_file), ('pytorch_model.bin', torch.save)]
)
def test_a_folder_of_a_hugging_face_library_is_read(tmp_path, name, save, parts):
    if parts:
        save_in_parts(tmp_path, Path(name).suffix, save)
    else:
        save(small_state(), tmp_path / name)
    state = read_state_dict(tmp_path)
    assert_same(dict(sorted(state.items())), dict(sorted(small_state().items())))


def test_of_two_files_in_a_folder_the_one_that_cannot_run_code_is_read(tmp_path):
    save_file(small_state(), tmp_path / 'model.safetensors')
    torch.save({'a.weight': torch.zeros(1)}, tmp_path / 'pytorch_model.bin')
    assert len(read_state_dict(str(tmp_path))) == 2


def test_a_folder_that_lacks_weights_or_a_part_of_them_is_an_error(tmp_path):
    with pytest.raises(WeightsError, match=rf'{tmp_path} has no weights: none of model\.safetens'):
        read_state_dict(tmp_path)
    save_in_parts(tmp_path, '.safetensors', save_file)
    (tmp_path / 'part-2.safetensors').unlink()
    with pytest.raises(WeightsError, match=r'No file of weights at .*part-2\.safetensors'):
        read_state_dict(tmp_path)
    (tmp_path / 'model.safetensors.index.json').write_text('{')
    with pytest.raises(WeightsError, match='is damaged'):
        read_state_dict(tmp_path)


def test_a_folder_with_a_file_that_would_run_code_is_refused(tmp_path):
    held = {'a': torch.zeros(1), 'b': Payload(f'touch {tmp_path}/ran')}
    torch.save(held, tmp_path / 'pytorch_model.bin')
    with pytest.raises(WeightsError, match='could run code'):
        read_state_dict(tmp_path)
    assert not (tmp_path / 'ran').exists()


class OneWeight(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return {'loss': self.weight.sum()}


def test_a_checkpoint_of_mmengines_runner_is_read_without_trust(tmp_path):
    runner = Runner(
        OneWeight(),
        str(tmp_path),
        train_dataloader=dict(
            dataset=[{'inputs': torch.zeros(1)}] * 3,
            sampler=dict(type='DefaultSampler', shuffle=False),
            batch_size=1,
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
        param_scheduler=dict(type='ConstantLR', factor=1),
        experiment_name=tmp_path.name,
        log_level='ERROR',
    )
    runner.message_hub.update_info('best', np.float64(3.5))
    runner.train()
    path = tmp_path / 'epoch_1.pth'
    # That is a real one: its histories of the loss are what a plain safe load refuses.
    with pytest.raises(pickle.UnpicklingError, match=r'getattr|HistoryBuffer'):
        torch.load(path, weights_only=True)
    assert_same(read_state_dict(path), {'weight': runner.model.weight.detach()})


# ---- what is refused


@pytest.mark.parametrize('zipped', [True, False])
def test_a_file_that_would_run_code_is_refused_unless_trusted(tmp_path, zipped):
    path, ran = tmp_path / 'net.pth', tmp_path / 'ran'
    checkpoint = {'state_dict': small_state(), 'meta': Payload(f'touch {ran}')}
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r'net\.pth holds more than tensors.*trusted=True'):
        read_state_dict(path)
    assert not ran.exists()
    assert_same(read_state_dict(path, trusted=True), small_state())
    assert ran.exists()


def test_a_bare_pickle_that_would_run_code_is_refused(tmp_path):
    path, ran = tmp_path / 'net.pkl', tmp_path / 'ran'
    path.write_bytes(pickle.dumps(Payload(f'touch {ran}')))
    with pytest.raises(WeightsError, match='could run code'):
        read_state_dict(path)
    assert not ran.exists()


def test_a_pickled_module_is_refused(tmp_path):
    torch.save(nn.Linear(1, 1), tmp_path / 'net.pth')
    with pytest.raises(WeightsError, match=r'could run code \(.*Linear'):
        read_state_dict(tmp_path / 'net.pth')


GETATTR = b'cbuiltins\ngetattr\n'
HISTORY = b'cmmengine.logging.history_buffer\nHistoryBuffer\n'


def reading_attributes(start, *names):
    """A pickle that takes attribute after attribute, beginning at a global."""
    chain = start
    for name in names:
        text = b'X' + len(name).to_bytes(4, 'little') + name.encode()
        chain = GETATTR + chain + text + b'\x86R'
    return b'\x80\x02' + chain + b'.'


@pytest.mark.parametrize(
    ('start', 'names'),
    [
        (GETATTR, ['__self__']),
        (GETATTR, ['__self__', 'exec']),
        (HISTORY, ['__init__']),
        (HISTORY, ['mean', '__globals__']),
        (b'cbuiltins\nslice\n', ['indices']),
    ],
)
def test_getattr_which_mmengine_holds_for_safe_leads_nowhere(tmp_path, start, names):
    # getattr.__self__ is the module builtins, from which a file could go on to run code.
    torch.save({'a': torch.zeros(1)}, tmp_path / 'good.pth')
    path = tmp_path / 'evil.pth'
    with zipfile.ZipFile(tmp_path / 'good.pth') as good, zipfile.ZipFile(path, 'w') as evil:
        for name in good.namelist():
            is_pickle = name.endswith('data.pkl')
            evil.writestr(name, reading_attributes(start, *names) if is_pickle else good.read(name))
    with pytest.raises(WeightsError, match=r'could run code \(it takes the attribute'):
        read_state_dict(path)


def test_a_file_that_is_not_there_is_an_error_that_says_where_was_looked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=rf'No file of weights at net\.pth .*{tmp_path}'):
        read_state_dict('net.pth')


@pytest.mark.parametrize(
    ('held', 'name'),
    [
        ([torch.zeros(1)], 'list'),
        (torch.zeros(1), 'Tensor'),
        ({'epoch': 3}, 'dict'),
        ({'state_dict': None}, 'dict'),
        ({0: torch.zeros(1)}, 'dict'),
        ({}, 'dict'),
    ],
)
def test_what_is_no_state_dict_is_an_error_that_says_what_it_is(tmp_path, held, name):
    torch.save(held, tmp_path / 'net.pth')
    with pytest.raises(WeightsError, match=rf'net\.pth holds no state dict, but a {name}'):
        read_state_dict(tmp_path / 'net.pth')


@pytest.mark.parametrize(
    'content',
    [b'', b'<html>404</html>', b'version https://git-lfs.github.com/spec/v1\noid sha256:0'],
    ids=['nothing', 'web page', 'Git LFS pointer'],
)
@pytest.mark.parametrize('trusted', [False, True])
def test_what_is_no_checkpoint_is_shown_and_not_put_down_to_mistrust(tmp_path, content, trusted):
    path = tmp_path / 'net.pth'
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r'net\.pth is no file of weights') as error:
        read_state_dict(path, trusted=trusted)
    assert repr(content[:20])[:-1] in str(error.value)
    assert 'trusted' not in str(error.value)


@pytest.mark.parametrize('zipped', [True, False])
def test_a_file_cut_short_is_an_error_that_names_it(tmp_path, zipped):
    path = tmp_path / 'net.pth'
    torch.save({'a': torch.zeros(1000)}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(WeightsError, match=r'net\.pth .*cut short'):
        read_state_dict(path)


def test_a_damaged_safetensors_file_is_an_error_that_names_it(tmp_path):
    (tmp_path / 'net.safetensors').write_bytes(b'abc')
    with pytest.raises(WeightsError, match=r'net\.safetensors is damaged'):
        read_state_dict(tmp_path / 'net.safetensors')


# ---- addresses


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty torch.hub cache."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('no_proxy', '*')
    return tmp_path / 'home' / 'hub' / 'checkpoints'


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


@pytest.fixture
def site(tmp_path):
    """A folder, and the address at which it is served."""
    folder = tmp_path / 'site'
    folder.mkdir()
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield folder, f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def save_with_digest(state, folder):
    path = folder / 'net.pth'
    torch.save(state, path)
    return path.rename(folder / f'net-{sha256(path.read_bytes()).hexdigest()[:8]}.pth')


def test_an_address_is_fetched_once(site, hub):
    folder, url = site
    path = save_with_digest(small_state(), folder)
    assert_same(read_state_dict(f'{url}/{path.name}'), small_state())
    assert (hub / path.name).is_file()  # where torchvision would look for it too
    path.unlink()
    assert_same(read_state_dict(f'{url}/{path.name}'), small_state())


def test_files_of_one_name_at_two_addresses_are_not_confused(site, hub):
    folder, url = site
    for run, value in (('a', 1.0), ('b', 2.0)):
        (folder / run).mkdir()
        torch.save({'w': torch.tensor(value)}, folder / run / 'best.pth')
    assert read_state_dict(f'{url}/a/best.pth')['w'] == 1
    assert read_state_dict(f'{url}/b/best.pth')['w'] == 2


def test_half_of_a_file_is_an_error_and_not_kept(site, hub, monkeypatch):
    folder, url = site
    torch.save(small_state(), folder / 'best.pth')
    # The server breaks off before the end that it announced.
    whole = QuietHandler.copyfile
    monkeypatch.setattr(
        QuietHandler, 'copyfile', lambda _self, source, out: out.write(source.read(100))
    )
    with pytest.raises(WeightsError, match=r'broke at 100 of [\d,]+ bytes.*Get the file best.pth'):
        read_state_dict(f'{url}/best.pth')
    monkeypatch.setattr(QuietHandler, 'copyfile', whole)
    assert_same(read_state_dict(f'{url}/best.pth'), small_state())


def test_a_file_address_is_read_where_it_lies(tmp_path, hub):
    path = tmp_path / 'with a space.pth'
    for value in (1.0, 2.0):
        torch.save({'w': torch.tensor(value)}, path)
        assert read_state_dict(path.as_uri())['w'] == value
    assert not hub.exists()


def test_a_download_that_is_not_what_its_name_says_is_an_error(site, hub):
    folder, url = site
    torch.save(small_state(), folder / 'net-00000000.pth')
    with pytest.raises(WeightsError, match=r'net-00000000\.pth .*invalid hash'):
        read_state_dict(f'{url}/net-00000000.pth')
    assert not (hub / 'net-00000000.pth').exists()


def test_a_download_that_would_run_code_is_refused(site, hub, tmp_path):
    folder, url = site
    torch.save({'a': torch.zeros(1), 'b': Payload(f'touch {tmp_path}/ran')}, folder / 'net.pth')
    with pytest.raises(WeightsError, match='could run code'):
        read_state_dict(f'{url}/net.pth')
    assert not (tmp_path / 'ran').exists()


def test_an_address_with_nothing_there_is_an_error_that_names_the_file_to_get(site, hub):
    _, url = site
    with pytest.raises(WeightsError, match=r'/away/net\.pth \(.*404.*Get the file net\.pth in ano'):
        read_state_dict(f'{url}/away/net.pth')


def test_torchvisions_name_of_a_model_stands_for_its_default_weights(site, hub, monkeypatch):
    folder, url = site
    path = save_with_digest(small_state(), folder)
    monkeypatch.setattr(FCN_ResNet50_Weights.DEFAULT.value, 'url', f'{url}/{path.name}')
    assert_same(read_state_dict('torchvision://fcn_resnet50'), small_state())


def test_a_hub_out_of_reach_is_an_error_that_names_the_file_to_get(hub, monkeypatch):
    address = 'http://127.0.0.1:9/models/fcn_resnet50_coco-1167a1af.pth'
    monkeypatch.setattr(FCN_ResNet50_Weights.DEFAULT.value, 'url', address)
    with pytest.raises(WeightsError, match=rf'{address}.*file fcn_resnet50_coco-1167a1af\.pth'):
        read_state_dict('torchvision://fcn_resnet50')


def test_an_unknown_model_of_torchvision_is_an_error_with_a_close_one():
    with pytest.raises(WeightsError, match=r'no model fcn_resnet500 \(did you mean .fcn_resnet50'):
        read_state_dict('torchvision://fcn_resnet500')


class HubFolder:
    """Stands in for huggingface_hub.snapshot_download: which files of a model are asked for."""

    def __init__(self, folder, *files):
        self.folder, self.files, self.asked = folder, files, []

    def __call__(self, name, allow_patterns):
        self.asked.append(name)
        for file in self.files:
            if any(fnmatch(file, pattern) for pattern in allow_patterns):
                save = save_file if file.endswith('.safetensors') else torch.save
                save(small_state(), self.folder / file)
        return str(self.folder)


@pytest.mark.parametrize(
    ('files', 'calls'),
    [(['model.safetensors', 'pytorch_model.bin'], 1), (['pytorch_model.bin', 'tf_model.h5'], 2)],
)
def test_of_a_model_of_the_hugging_face_hub_one_file_is_fetched(
    tmp_path, monkeypatch, files, calls
):
    fake = HubFolder(tmp_path, *files)
    monkeypatch.setattr('segkd_mm.weights.hubs.snapshot_download', fake)
    state = read_state_dict('hf://owner/name')
    assert_same(dict(sorted(state.items())), dict(sorted(small_state().items())))
    assert fake.asked == calls * ['owner/name']
    assert [path.name for path in tmp_path.iterdir()] == files[:1]


def test_a_model_of_the_hugging_face_hub_without_weights_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(
        'segkd_mm.weights.hubs.snapshot_download', HubFolder(tmp_path, 'tf_model.h5')
    )
    with pytest.raises(WeightsError, match='has no weights'):
        read_state_dict('hf://owner/name')


@pytest.mark.parametrize('name', ['owner/name', 'a/b/c'])
def test_a_hugging_face_hub_out_of_reach_is_an_error_that_says_how_to_use_a_folder(
    monkeypatch, tmp_path, name
):
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path))
    with pytest.raises(WeightsError, match=rf'fetch hf://{name} .*{name} --local-dir DIR.*give DI'):
        read_state_dict(f'hf://{name}')


# ---- loading


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def filled(module):
    return {k: torch.full_like(v, 5) for k, v in module.state_dict().items()}


def test_what_fits_is_loaded_in_the_modules_own_precision():
    module = net()
    state = {k: v.half() if v.ndim > 1 else v for k, v in filled(module).items()}
    load_strictly(module, state, 'net.pth')
    for value in module.state_dict().values():
        assert (value == 5).all()
    assert module[0].weight.dtype == torch.float32


def misfits(module):
    """By what is wrong: a state that does not fit, and what the message must say."""
    good = filled(module)
    without = {k: v for k, v in good.items() if k != '1.running_var'}
    return {
        'missing': (without, r'missing: 1\.running_var'),
        'unexpected': (good | {'2.bias': torch.zeros(1)}, r'unexpected: 2\.bias'),
        'renamed': (
            without | {'1.running_vra': good['1.running_var']},
            r'missing: 1\.running_var \(did you mean .1\.running_vra.\?\)\n'
            r'  unexpected: 1\.running_vra \(did you mean .1\.running_var',
        ),
        'shape': (
            good | {'0.weight': torch.zeros(4, 2)},
            r'shape \(4, 2\) in the file, \(4, 3\) in the model: 0\.weight',
        ),
    }


@pytest.mark.parametrize('fault', misfits(net()))
def test_one_fault_is_listed_and_nothing_is_loaded(fault):
    module = net()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    state, message = misfits(module)[fault]
    with pytest.raises(WeightsError, match=rf'net\.pth does not fit Sequential(.|\n)*{message}'):
        load_strictly(module, state, 'net.pth')
    assert_same(module.state_dict(), before)


def test_many_faults_are_counted_and_the_first_dozen_listed():
    module = nn.Sequential(*(nn.Linear(1, 1) for _ in range(10)))
    with pytest.raises(WeightsError, match=r'20 of 20 keys differ') as error:
        load_strictly(module, {}, 'net.pth')
    assert str(error.value).count('missing:') == 12


def test_nan_or_infinity_is_an_error_that_names_the_tensors_and_nothing_is_loaded():
    module = net()
    module.register_buffer('mask', torch.tensor([0, float('-inf')]))  # one of the module's own
    before = {k: v.clone() for k, v in module.state_dict().items()}
    state = filled(module) | {'mask': before['mask'].clone()}
    state['0.weight'][0, 1] = float('nan')
    state['1.running_var'][2:] = float('inf')
    with pytest.raises(WeightsError, match='NaN or infinity in 2 of 8 tensors') as error:
        load_strictly(module, state, 'net.pth')
    for fault in ('0.weight (1 of 12 values)', '1.running_var (2 of 4 values)'):
        assert fault in str(error.value)
    assert_same(module.state_dict(), before)
    good = filled(module) | {'mask': before['mask']}
    load_strictly(module, good, 'net.pth')
    assert_same(module.state_dict(), good)


def test_ignored_prefixes_may_be_missing_on_either_side():
    module = nn.ModuleDict({'a': nn.Linear(1, 1), 'terms': nn.Linear(1, 1)})
    own = module['terms'].weight.clone()
    state = {'a.weight': torch.ones(1, 1), 'a.bias': torch.ones(1), 'head.weight': torch.ones(9)}
    with pytest.raises(WeightsError, match='3 of 4 keys'):
        load_strictly(module, state, 'net.pth')
    load_strictly(module, state, 'net.pth', ignore=('terms.', 'head.'))
    assert module['a'].weight.item() == 1
    assert torch.equal(module['terms'].weight, own)


def test_ignoring_some_keys_excuses_no_others():
    module = nn.ModuleDict({'a': nn.Linear(1, 1), 'terms': nn.Linear(1, 1)})
    with pytest.raises(WeightsError, match=r'missing: a\.bias'):
        load_strictly(module, {'a.weight': torch.ones(1, 1)}, 'net.pth', ignore=('terms.',))


def test_check_fit_loads_nothing_even_where_all_fits():
    module = net()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    check_fit(module, filled(module), 'net.pth')
    assert_same(module.state_dict(), before)


def test_renaming_goes_by_whole_names_and_the_longest_fit():
    state = {'pool.0.weight': 1, 'pool.1.bias': 2, 'pooling.weight': 3, 'cls': 4, 'rest.weight': 5}
    names = {'pool': 'head', 'pool.1': 'norm', 'cls': 'classifier'}
    assert rename_keys(state, names, 'x.pth') == {
        'head.0.weight': 1, 'norm.bias': 2, 'pooling.weight': 3, 'classifier': 4, 'rest.weight': 5,
    }  # fmt: skip


def test_a_name_that_fits_nothing_is_an_error_with_the_close_one():
    with pytest.raises(
        WeightsError, match=r'x.pth has no key under feature.0 \(did you mean .features.0'
    ):
        rename_keys({'features.0': 1}, {'feature.0': 'body.0'}, 'x.pth')


def test_two_keys_of_one_name_are_an_error():
    with pytest.raises(WeightsError, match=r'x\.pth: two keys come to one name'):
        rename_keys({'a.weight': 1, 'b.weight': 2}, {'a': 'b'}, 'x.pth')


class OldNames(nn.Linear):
    """A module whose files say 'w' and 'b'."""

    def to_own_keys(self, state, source):
        return {'weight': state['w'], 'bias': state['b']}


def test_a_module_may_know_other_keys_of_its_files_than_its_own():
    module = OldNames(2, 1)
    load_strictly(module, {'w': torch.ones(1, 2), 'b': torch.ones(1)}, 'net.pth')
    assert module.weight.eq(1).all()
    load_strictly(module, filled(module), 'net.pth')
    assert module.weight.eq(5).all()
    load_strictly(module, {**filled(module), 'terms.x': 0}, 'net.pth', ignore=['terms.'])
    with pytest.raises(WeightsError, match=r'\(3, 2\) in the file, \(1, 2\) in the model: weight'):
        load_strictly(module, {'w': torch.ones(3, 2), 'b': torch.ones(1)}, 'net.pth')


class Wrapped(nn.Module):
    """The keys of a submodule are its own; what lies beside it keeps its names."""

    def __init__(self):
        super().__init__()
        self.net = nn.ModuleDict({'net': nn.Linear(1, 1), 'bn': nn.BatchNorm1d(1)})
        self.terms = nn.Linear(1, 1, bias=False)
        leave_out_of_keys(self, 'net', beside=['terms.'])


KEYS = {'net.weight', 'net.bias', 'bn.weight', 'bn.bias', 'bn.running_mean', 'bn.running_var',
        'bn.num_batches_tracked', 'terms.weight'}  # fmt: skip


@pytest.mark.parametrize('get', [nn.Module.state_dict, get_state_dict])
@pytest.mark.parametrize('nested', [False, True])
def test_the_name_of_a_submodule_is_left_out_of_keys_saved_and_loaded(get, nested):
    saved, loaded = Wrapped(), Wrapped()
    if nested:
        saved, loaded = (nn.ModuleDict({'net': one, 'x': one.net}) for one in (saved, loaded))
    state = get(saved)
    own = {f'net.{key}' for key in KEYS} if nested else KEYS
    assert {key for key in state if not key.startswith('x.')} == own
    loaded.load_state_dict(deepcopy(state))
    assert all(
        torch.equal(a, b) for a, b in zip(saved.parameters(), loaded.parameters(), strict=True)
    )
