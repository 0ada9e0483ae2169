"""Export to the formats of one size, each of whose libraries may not be installed."""

import pytest
from tiny_student import NAMES

from segkd_mm.deploy.export import LIBRARIES, SAVERS, to_format
from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.formats import SUFFIXES


def exported_at_one_size(to, student, folder, precision='fp32'):
    """A student for images of 64 x 96: the graph, its file and its metadata."""
    pytest.importorskip(LIBRARIES[to][0], reason=f"pip install 'segkd_mm[{to}]'")
    graph, file = DeployedGraph(student, size=(64, 96)).eval(), folder / f'model{SUFFIXES[to]}'
    metadata = {**graph.describe(), **NAMES, 'precision': precision, 'note': 'ü "<&>'}
    SAVERS[to](to_format(graph, to, precision), file, metadata)
    return graph, file, metadata
