"""One student in every format, for the tests of export and of what runs exported files."""

from pathlib import Path

import pytest
from one_size import exported_at_one_size
from tiny_student import NAMES, tiny_student

from segkd_mm.deploy import load_runtime
from segkd_mm.deploy.export import SAVERS, to_onnx, to_program
from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.loading import deployable
from segkd_mm.deploy.ncnn_model import to_ncnn
from segkd_mm.formats import SUFFIXES


def pytest_collection_modifyitems(items):
    """Exports are slow, and so are the imports of the libraries that make them: once, not twice."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group('deploy'))


@pytest.fixture(scope='session')
def student():
    return deployable(tiny_student())


def export_all(graph, folder):
    """The graph in every format: the runtimes."""
    program = to_program(graph, graph.input_dtype)
    exported = dict.fromkeys(('onnx', 'openvino'), to_onnx(program, graph.labels_out))
    exported['torch-export'] = program
    if not graph.image_in:
        exported['ncnn'] = to_ncnn(graph)
    metadata = {**graph.describe(), **NAMES, 'note': 'ü "<&>'}
    files = {to: folder / f'model{SUFFIXES[to]}' for to in exported}
    for to, file in files.items():
        SAVERS[to](exported[to], file, metadata)
    return {to: load_runtime(file) for to, file in files.items()}


@pytest.fixture(scope='session')
def logits_of(student, tmp_path_factory):
    """Runtimes from normalised images to logits."""
    return export_all(DeployedGraph(student).eval(), tmp_path_factory.mktemp('logits'))


@pytest.fixture(scope='session')
def labels_of(student, tmp_path_factory):
    """Runtimes from images to labels."""
    graph = DeployedGraph(student, image_in=True, labels_out=True).eval()
    return export_all(graph, tmp_path_factory.mktemp('labels'))


@pytest.fixture(scope='session', params=['litert', 'executorch'])
def file_of_one_size(request, student, tmp_path_factory):
    """A file for images of 64 x 96."""
    _, file, _ = exported_at_one_size(request.param, student, tmp_path_factory.mktemp('one_size'))
    return file
