"""Each way by which a file from elsewhere comes in, and the test that tries a hostile one on it."""

import ast
import io
import json
import re
import sys
import tarfile
import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from segkd_mm.config import load_config
from segkd_mm.datasets.band_files import read_bands
from segkd_mm.deploy import load_runtime
from segkd_mm.deploy.demo import browser_runtime
from segkd_mm.deploy.program_files import load_program
from segkd_mm.distill.teacher import model_config
from segkd_mm.weights import WeightsError
from segkd_mm.weights.checkpoints import newest_whole

ROOT = Path(__file__).parents[1]

# Where a file may be read in which way. Whoever adds a line adds a hostile file to WAYS.
READERS = {
    'segkd_mm/__init__.py': {'import_module'},  # of the own modules, as those below
    'segkd_mm/cli/main.py': {'import_module'},
    'segkd_mm/config.py': {'Config.fromfile', 'yaml.safe_load'},
    'segkd_mm/convert/reading.py': {'json.loads'},
    'segkd_mm/convert/yolo.py': {'yaml.safe_load'},
    'segkd_mm/datasets/band_files.py': {'np.load'},
    'segkd_mm/datasets/download.py': {'archive.extractall', 'tarfile.open', 'urlopen'},
    'segkd_mm/datasets/shapes.py': {'json.loads'},
    'segkd_mm/deploy/demo/browser_runtime.py': {
        'tar.extractfile', 'tarfile.open', 'torch.hub.download_url_to_file',
    },
    # Of files that they have written.
    'segkd_mm/deploy/coreml_model.py': {'coremltools.models.MLModel'},
    'segkd_mm/deploy/export.py': {'openvino_core().read_model', 'zipfile.ZipFile'},
    'segkd_mm/deploy/executorch_files.py': {'runtime.load_program'},
    'segkd_mm/deploy/layers.py': {'ast.literal_eval'},
    'segkd_mm/deploy/model_folder.py': {'json.loads', 'one.import_from_location'},
    'segkd_mm/deploy/program_files.py': {
        'json.loads', 'torch.export.load', 'zipfile.ZipFile',
    },
    'segkd_mm/deploy/quantise.py': {'ort.InferenceSession'},  # of a model in memory
    'segkd_mm/deploy/runtime.py': {
        'core.read_model', 'extractor.extract', 'ncnn.Net', 'ort.InferenceSession',
        'zipfile.ZipFile',
    },
    'segkd_mm/distill/teacher.py': {'Config.fromstring'},  # of a text of its own
    'segkd_mm/hooks/class_weights.py': {'json.loads'},
    'segkd_mm/json_files.py': {'json.loads'},
    'segkd_mm/libraries.py': {'import_module'},
    'segkd_mm/measure/environment.py': {'import_module'},
    'segkd_mm/measure/peers.py': {'Config.fromfile'},  # of packaged configs, as those below
    'segkd_mm/registry.py': {'import_module'},
    'segkd_mm/scaffold/accuracy.py': {'json.loads'},
    'segkd_mm/scaffold/fitting_student.py': {'Config.fromfile'},
    'segkd_mm/scaffold/mask_classes.py': {'json.loads'},
    'segkd_mm/scaffold/students.py': {'Config.fromfile'},
    'segkd_mm/visualize/label_maps.py': {'json.loads'},
    'segkd_mm/visualize/report/runs.py': {'json.loads'},
    'segkd_mm/weights/checkpoints.py': {'torch.load', 'zipfile.ZipFile'},
    'segkd_mm/weights/hubs.py': {'urlopen', 'snapshot_download', 'torch.hub.download_url_to_file'},
    'segkd_mm/weights/mmengine_loader.py': {'torch.load'},
    'segkd_mm/weights/reading.py': {'json.loads', 'load_file', 'torch.load'},
    'segkd_mm/whole_image/builder.py': {'json.loads', 'safe_open'},
    'segkd_mm/whole_image/store.py': {'json.loads', 'safe_open'},
}  # fmt: skip
# Names of functions that read or run what is in a file; `load` and `open` only of these libraries.
CALLS = re.compile(
    r'(?:^|\.)(?:loads|safe_load|safe_load_all|full_load|unsafe_load|load_all|Unpickler|read_pickle'
    r'|literal_eval|eval|exec|compile_command|run_path|import_module|__import__'
    r'|import_from_location|ZipFile|TarFile|extractall|extractfile|extract|unpack_archive|urlopen'
    r'|urlretrieve|download_url_to_file|load_state_dict_from_url|load_url|hf_hub_download'
    r'|snapshot_download|load_checkpoint|_load_checkpoint|load_file|safe_open|read_model'
    r'|InferenceSession|fromfile|fromstring|memmap)$'
    r'|(?:^|\.)(?:torch|np|numpy|pickle|cPickle|dill|joblib|yaml|json|marshal|shelve|onnx|export|jit'
    r'|hub|mmengine|fileio)\.load$|(?:^|\.)(?:tarfile|shelve)\.open$|(?:^|\.)ncnn\.Net$'
    r'|\.load_program$|\.MLModel$'
)


def calls_of(source: str) -> set[str]:
    """The calls in a module that read or run what is in a file."""
    called = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    names = {ast.unparse(one) for one in called}
    # That of a module sets its mode.
    return {name for name in names if CALLS.search(name) and not name.endswith('.eval')}


def test_no_module_reads_files_in_a_way_that_is_not_listed():
    found = defaultdict(set)
    for path in sorted((ROOT / 'segkd_mm').rglob('*.py')):
        if calls := calls_of(path.read_text()):
            found[path.relative_to(ROOT).as_posix()] = calls
    assert dict(found) == READERS


@pytest.mark.parametrize(
    'source',
    [
        'import torch\ntorch.load(f)', 'pickle.loads(x)', 'yaml.load(f, Loader)', 'eval(text)',
        'np.load(f)', 'shutil.unpack_archive(f)', 'from x import urlopen\nurlopen(u)',
        'joblib.load(f)', 'hf_hub_download(a, b)', 'zipfile.ZipFile(f)', 'tarfile.open(f)',
        'runner.load_checkpoint(f)', 'torch.jit.load(f)', 'onnx.load(f)', 'mmengine.load(f)',
        'runtime.load_program(f)', 'models.MLModel(f)',
    ],
)  # fmt: skip
def test_a_new_way_is_seen(source):
    assert len(calls_of(source)) == 1


def test_no_call_allows_pickles_by_itself():
    texts = {path: path.read_text() for path in (ROOT / 'segkd_mm').rglob('*.py')}
    assert not [path for path, text in texts.items() if re.search('allow_pickle=True', text)]
    assert not [path for path, text in texts.items() if re.search('weights_only=False', text)]


# By the way in: the file of the tests and the test that tries a hostile file, or a case of
# benchmarks/bad_inputs.py by its words.
WAYS = {
    'resume, load_from, init_cfg, Pretrained, backbones, init_model': (
        'weights/test_mmengine_loader.py', 'test_no_way_runs_code_of_a_file'),
    'addresses and model zoos': (
        'weights/test_mmengine_loader.py', 'test_no_address_runs_code_of_a_file'),
    'the text of a config in a checkpoint': (
        'weights/test_mmengine_loader.py',
        'test_a_resumed_checkpoint_goes_on_and_its_text_is_not_run'),
    'teacher, student': (
        'weights/test_weights.py', 'test_a_file_that_would_run_code_is_refused_unless_trusted'),
    'folder of weights': (
        'weights/test_weights.py', 'test_a_folder_with_a_file_that_would_run_code_is_refused'),
    'index of a folder of weights': 'an index of weights that names a file out of its folder',
    'the newest checkpoint of a work directory': (
        'test_untrusted_files.py', 'test_a_checkpoint_that_would_run_code_is_not_chosen'),
    'folder of segkd push, hub': ('cli/test_push.py', 'test_a_shared_folder_runs_no_code'),
    'archive of data': (
        'datasets/test_download.py', 'test_a_tar_that_leads_out_of_itself_leaves_nothing'),
    'archive of the page': (
        'test_untrusted_files.py', 'test_of_the_archive_of_the_page_only_three_files_are_taken'),
    'cache, index': 'a cache whose index names a shard out of its folder',
    'cache, shard': 'a cache with a shard that is no safetensors',
    'exported .onnx': 'an .onnx file whose metadata has a data type that is none',
    'exported .xml': 'an .xml file of something else',
    'exported .ncnn.param': (
        'deploy/test_export.py', 'test_damaged_files_of_ncnn_are_errors'),
    'exported .tflite': (
        'deploy/test_export.py', 'test_files_of_one_size_take_images_of_it_and_resize_others'),
    'exported .pte': ('deploy/test_export.py', 'test_executorch_takes_files_for_xnnpack_alone'),
    'exported .mlpackage': ('deploy/test_export.py', 'test_a_file_of_core_ml_is_not_read'),
    'exported .pt2': ('test_untrusted_files.py', 'test_an_exported_program_runs_no_code'),
    'YAML config': 'a YAML config that builds Python objects',
    'YAML base of a config': 'a YAML base that builds Python objects',
    "YAML config of a teacher's model": (
        'test_untrusted_files.py', 'test_a_yaml_config_runs_no_code'),
    'YAML of annotations': 'a data.yaml that builds Python objects',
    'JSON of annotations': 'COCO annotations nested 100,000 deep',
    'paths in annotations': 'COCO annotations with an image out of the folder',
    'data list': 'a list with paths out of the folder',
    'bands in .npy': ('test_untrusted_files.py', 'test_an_array_that_would_run_code_is_refused'),
    'uploads to a service': (
        'cli/test_serve.py', 'test_bad_requests_are_refused_in_words_and_the_service_goes_on'),
    'result file': 'a result file that is a list',
    'label maps of a report': (
        'test_untrusted_files.py', 'test_the_index_of_a_report_names_no_file_elsewhere'),
}  # fmt: skip


def test_each_way_in_has_its_hostile_file():
    sys.path.insert(0, str(ROOT / 'benchmarks'))
    try:
        from bad_inputs import cases
    finally:
        sys.path.pop(0)
    given = {case.given for group in cases().values() for case in group}
    for way, place in WAYS.items():
        if isinstance(place, str):
            assert place in given, way
        else:
            assert f'def {place[1]}(' in (ROOT / 'tests' / place[0]).read_text(), way


class Payload:
    """A pickle of it writes a file when it is read."""

    def __init__(self, file):
        self.file = str(file)

    def __reduce__(self):
        return Path.touch, (Path(self.file),)


YAML = '!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{}]]'


def test_a_yaml_config_runs_no_code(tmp_path):
    ran, file = tmp_path / 'ran', tmp_path / 'a.yaml'
    file.write_text(f'model: {YAML.format(ran)}')
    for read in load_config, lambda path: model_config(str(path)):
        with pytest.raises(ValueError, match='ConstructorError'):
            read(file)
    assert not ran.exists()


def test_a_checkpoint_that_would_run_code_is_not_chosen(tmp_path):
    torch.save({'meta': {'iter': 3}, 'a': Payload(tmp_path / 'ran')}, tmp_path / 'epoch_1.pth')
    with pytest.raises(WeightsError, match='could run code'):
        newest_whole(tmp_path)
    assert not (tmp_path / 'ran').exists()


def test_an_array_that_would_run_code_is_refused(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([Payload(tmp_path / 'ran')]), allow_pickle=True)
    with pytest.raises(ValueError, match='pickle'):
        read_bands(tmp_path / 'a.npy')
    assert not (tmp_path / 'ran').exists()


def test_the_index_of_a_report_names_no_file_elsewhere(tmp_path):
    from segkd_mm.visualize.label_maps import INDEX, LabelMapIndex

    content = {'classes': ['a'], 'palette': [[0, 0, 0]], 'images': {'../../a': 'a.png'}}
    (tmp_path / INDEX).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'label_maps\.json: not an index'):
        LabelMapIndex.read(tmp_path)


def test_of_the_archive_of_the_page_only_three_files_are_taken(tmp_path):
    archive, out = tmp_path / 'a.tgz', tmp_path / 'out'
    out.mkdir()
    with tarfile.open(archive, 'w:gz') as tar:
        for name, kind in (
            ('package/dist/../../../evil', tarfile.REGTYPE),
            ('/package/dist/ort.wasm.min.mjs', tarfile.REGTYPE),
            ('package/dist/ort-wasm-simd-threaded.mjs', tarfile.SYMTYPE),
            ('package/dist/ort-wasm-simd-threaded.wasm', tarfile.FIFOTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, '/etc/passwd'
            tar.addfile(member)
    browser_runtime.unpack_runtime(archive, out)
    assert sorted(tmp_path.rglob('*')) == [archive, out]


@pytest.fixture(scope='module')
def program(tmp_path_factory):
    """A small exported program, as a file and by the members of its archive."""
    path = tmp_path_factory.mktemp('program') / 'a.pt2'
    exported = torch.export.export(
        nn.Linear(3, 2), (torch.zeros(2, 3),), dynamic_shapes=({0: torch.export.Dim('n')},)
    )
    metadata = {
        'classes': ['a', 'b'], 'palette': [[0] * 3] * 2, 'input': 'normalised', 'output': 'logits',
        'precision': 'fp32',
    }  # fmt: skip
    torch.export.save(exported, path, extra_files={'segkd_mm': json.dumps(metadata)})
    with zipfile.ZipFile(path) as file:
        return path, {name: file.read(name) for name in file.namelist()}


def written(path, members):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED) as file:
        for name, content in members.items():
            file.writestr(name, content)


def hostile_members(members, kind, ran):
    """The members of the archive with code in the weights, the example inputs or a size."""
    members = dict(members)
    saved = io.BytesIO()
    torch.save(Payload(ran), saved)
    if kind == 'weights':
        (config,) = (name for name in members if name.endswith('model_weights_config.json'))
        content = json.loads(members[config])
        for entry in content['config'].values():
            entry['use_pickle'] = True
            members[f'{config.rpartition("/")[0]}/{entry["path_name"]}'] = saved.getvalue()
        members[config] = json.dumps(content)
    elif kind == 'inputs':
        (inputs,) = (name for name in members if name.endswith('sample_inputs/model.pt'))
        members[inputs] = saved.getvalue()
    else:
        (model,) = (name for name in members if name.endswith('models/model.json'))
        code = f"().__class__.__base__.__subclasses__() or '{ran}'"
        text = re.sub(r'("expr_str": )"[^"]*"', rf'\1{json.dumps(code)}', members[model].decode())
        assert text != members[model].decode()
        members[model] = text
    return members


class Halved(nn.Module):
    def forward(self, x):
        return nn.functional.interpolate(x, scale_factor=0.5, mode='bilinear')


def test_sizes_with_fractions_are_formulas(tmp_path):
    sizes = {'x': {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}}
    program = torch.export.export(Halved(), (torch.zeros(1, 1, 8, 12),), dynamic_shapes=sizes)
    torch.export.save(program, tmp_path / 'half.pt2')
    assert "Float('0.5'" in json.dumps([*texts_in(tmp_path / 'half.pt2')])
    found = load_program(tmp_path / 'half.pt2', {}).module()(torch.zeros(1, 1, 10, 10))
    assert found.shape == (1, 1, 5, 5)


def texts_in(path):
    with zipfile.ZipFile(path) as file:
        yield from (file.read(n).decode() for n in file.namelist() if n.endswith('.json'))


@pytest.mark.parametrize('kind', ['weights', 'inputs', 'size'])
def test_an_exported_program_runs_no_code(program, tmp_path, kind):
    path, members = program
    assert load_runtime(path).metadata['classes'] == ['a', 'b']
    written(tmp_path / 'evil.pt2', hostile_members(members, kind, tmp_path / 'ran'))
    with pytest.raises(ValueError, match=r'evil\.pt2 (cannot be loaded|holds the size)'):
        load_runtime(tmp_path / 'evil.pt2')
    assert not (tmp_path / 'ran').exists()
