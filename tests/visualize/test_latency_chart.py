import pytest
from ink import ink

from segkd_mm.visualize.latency import draw_latency


def row(name, labels, logits=None, mmseg=None, floor=None):
    ways = {'labels': labels, 'logits': logits, 'mmseg': mmseg}
    times = {way: ms and {'median_ms': ms} for way, ms in ways.items()}
    return {'config': f'configs/student/{name}', 'floor_ms': floor, **times}


ROWS = [
    row('slow.py', 90.0, 80.0, 130.0, 40.0),
    row('slow.onnx', 50.0, 45.0, floor=40.0),
    row('whole.xml', 10.0),
]


@pytest.fixture
def drawn(figures, tmp_path):
    """The axes of a chart of rows."""

    def draw(rows):
        draw_latency(tmp_path / 'ms.png', rows, '1 x 512x512 on cpu, threads: 1')
        assert 0.01 < ink(tmp_path / 'ms.png') < 0.8
        return figures[-1].axes[0]

    return draw


def test_bars_are_the_times_of_each_stage_the_fastest_first(drawn):
    axes = drawn(ROWS)
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        'whole.xml', 'slow.onnx', 'slow',
    ]  # fmt: skip
    ends = {bars.get_label(): [bar.get_width() for bar in bars] for bars in axes.containers}
    assert ends == {
        "more in mmseg's way": [10, 50, 130],
        'normalisation, labels': [10, 50, 90],
        'network': [10, 45, 80],
    }
    (floors,) = axes.lines
    assert floors.get_xydata().tolist() == [[40, 1], [40, 2]]
    assert [text.get_text().strip() for text in axes.texts] == [
        '10.0', '50.0', '90.0   mmseg 130.0',
    ]  # fmt: skip


def test_without_floors_no_mark_is_drawn(drawn):
    assert not drawn(ROWS[-1:]).lines


def test_noise_makes_no_bar_of_the_network_longer_than_the_whole(drawn):
    axes = drawn([row('a.py', 10.0, 11.0, 9.0)])
    assert {bar.get_width() for bars in axes.containers for bar in bars} == {10}
