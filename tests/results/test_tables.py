import pytest
from rich.console import Console

from segkd_mm.results.tables import console_table, markdown_table, replace_table, table_names

ROWS = [
    {'model': 'student', 'mIoU': 61.4, 'parameters': 1234567},
    {'model': 'distilled', 'mIoU': 66.026, 'parameters': 1234567, 'note': 'a|b'},
    {'model': None, 'mIoU': float('nan')},
]


def test_markdown_table():
    assert markdown_table(ROWS) == '\n'.join(
        [
            r'| model     |  mIoU | parameters | note |',
            r'| --------- | ----: | ---------: | ---- |',
            r'| student   | 61.40 |  1,234,567 | -    |',
            r'| distilled | 66.03 |  1,234,567 | a\|b |',
            r'| -         |     - |          - | -    |',
        ]
    )


def test_short_columns_are_still_markdown():
    assert markdown_table([{'a': 1, 'b': 'x'}]) == '|   a | b   |\n| --: | --- |\n|   1 | x   |'


def test_console_table():
    console = Console(width=80, record=True)
    rows = [{'model': '[red]student', 'mIoU': 61.4}, {'model': 'teacher', 'mIoU': None}]
    with console.capture() as capture:
        console.print(console_table(rows, title='VOC'))
    lines = [line.strip() for line in capture.get().splitlines()]
    assert lines[0] == 'VOC'
    assert '│ [red]student │ 61.40 │' in lines
    assert '│ teacher      │     - │' in lines


def test_table_is_replaced_and_the_rest_is_kept(tmp_path):
    path = tmp_path / 'README.md'
    before = '# Zoo\n\n<!-- table: voc -->\nold\n<!-- /table -->\n\n'
    other = '<!-- table: camvid -->\nkept\n<!-- /table -->\nünd\n'
    path.write_text(before + other, encoding='utf-8')
    for table in (r'| \1 |', r'| \1 |'):
        replace_table(path, 'voc', table)
    after = '# Zoo\n\n<!-- table: voc -->\n\n| \\1 |\n\n<!-- /table -->\n\n'
    assert path.read_text(encoding='utf-8') == after + other
    assert list(tmp_path.iterdir()) == [path]


def test_missing_marker_is_named(tmp_path):
    path = tmp_path / 'README.md'
    path.write_text('<!-- table: voc -->\n<!-- /table -->\n')
    message = r"README\.md: no table 'zoo'; found \['voc'\]\. Add the lines .*<!-- table: zoo -->"
    with pytest.raises(ValueError, match=message):
        replace_table(path, 'zoo', '| a |')


def test_unclosed_marker_does_not_eat_the_next_table(tmp_path):
    path = tmp_path / 'README.md'
    text = '<!-- table: a -->\n<!-- table: b -->\n<!-- /table -->\n'
    path.write_text(text)
    with pytest.raises(ValueError, match="no table 'a'"):
        replace_table(path, 'a', '| a |')
    assert path.read_text() == text


def test_the_tables_that_a_file_asks_for_are_listed(tmp_path):
    path = tmp_path / 'README.md'
    path.write_text('<!-- table: voc/* camvid/a -->\n<!-- /table -->\n<!-- table: b -->\n')
    assert table_names(path) == ['voc/* camvid/a', 'b']
