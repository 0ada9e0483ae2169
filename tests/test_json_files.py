import json
import math
import pickle

import pytest

from segkd_mm.json_files import NUMBER, JsonFileError, parsed_object, read_object

WHAT = 'a result file', 'Measure again.'


def written(path, text):
    path.write_text(text)
    return path


def test_an_object_is_a_dict_whose_missing_keys_are_named_with_their_place(tmp_path):
    file = written(tmp_path / 'a.json', '{"a": {"b": [{"c": 1}]}}')
    found = read_object(file, *WHAT)
    assert found == {'a': {'b': [{'c': 1}]}}
    assert pickle.loads(pickle.dumps(found)) == json.loads(file.read_text())
    for use, place in (
        (lambda: found['x'], 'x'),
        (lambda: found['a']['x'], 'a.x'),
        (lambda: found['a']['b'][0]['x'], 'a.b.0.x'),
    ):
        with pytest.raises(JsonFileError, match=rf'a\.json: found no key {place}\. Measure again'):
            use()
    assert found.get('x') is None


@pytest.mark.parametrize('text', ['{', '[]', '3', '', '[' * 100_000])
def test_what_is_no_object_is_named(tmp_path, text):
    with pytest.raises(JsonFileError, match=r'a\.json: not a result file: found .*Measure again'):
        read_object(written(tmp_path / 'a.json', text), *WHAT)


def test_a_value_of_another_type_is_named():
    found = parsed_object('{"a": 1, "b": true, "c": NaN, "d": null}', 'a.json', 'Correct it.')
    found.check({'a': int, 'b': bool, 'd': (int, type(None)), 'missing': str})
    for key, kind in (('a', str), ('b', int), ('c', NUMBER), ('d', int)):
        with pytest.raises(JsonFileError, match=rf'a\.json: found {key}=.*expected .*Correct it'):
            found.check({key: kind})
    found.check({'c': NUMBER}, finite=False)
    assert math.isnan(found['c'])
