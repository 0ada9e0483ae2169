"""The config that makes a cache which several of a comparison use."""

import pytest
from mmengine.config import Config

from segkd_mm.results.runs.caches import cache_makers
from segkd_mm.results.runs.cells import Method
from segkd_mm.whole_image.store import INDEX


def cached(name, *taps, cache='logits'):
    model = {'teacher': {'cache': cache}, 'terms': {tap: {'teacher': tap} for tap in taps}}
    return Method(f'{name}.py', (), Config({'model': model}))


def test_the_config_of_all_taps_makes_a_shared_cache():
    plain = Method('plain.py', (), Config({'model': {}}))
    kl, both, other = cached('kl', 'a'), cached('both', 'b', 'a'), cached('other', 'c', cache='o')
    makers = cache_makers([plain, kl, both, other, kl])
    assert makers == {'kl': both, 'both': both, 'other': other}


def test_two_spellings_of_a_folder_are_one_cache(tmp_path):
    kl = cached('kl', 'a', cache=f'{tmp_path}/x/../c')
    both = cached('both', 'a', 'b', cache=f'{tmp_path}/c/')
    assert cache_makers([kl, both]) == {'kl': both, 'both': both}


@pytest.mark.parametrize(
    'model',
    [
        {'teacher': {'cache': 'c'}, 'terms': ['a']},
        {'teacher': {'cache': 'c'}, 'terms': {'a': None, 'b': 'b', 'c': {'teacher': 3}}},
        {'teacher': {'cache': ['c']}},
        {'teacher': 'teacher.pth'},
    ],
)
def test_what_is_no_term_or_teacher_is_left_to_the_training(model):
    wrong = Method('wrong.py', (), Config({'model': model}))
    assert cache_makers([wrong, cached('kl', 'a')])['kl'].name == 'kl'


def test_a_cache_that_no_config_can_make_whole_is_an_error_until_it_is_there(tmp_path):
    methods = cached('both', 'a', 'b', cache=str(tmp_path)), cached('kl', 'c', cache=str(tmp_path))
    with pytest.raises(ValueError, match=r'both and kl share .*, but c is no tap of both'):
        cache_makers(methods)
    (tmp_path / INDEX).touch()
    assert cache_makers(methods) == {'both': methods[0], 'kl': methods[0]}
