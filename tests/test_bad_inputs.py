"""A sample of the cases of benchmarks/bad_inputs.py, which runs all of them."""

import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEAST = 120  # cases


@pytest.fixture(scope='module')
def matrix():
    """The module of the script."""
    sys.path.insert(0, str(ROOT / 'benchmarks'))
    try:
        import bad_inputs
    finally:
        sys.path.pop(0)
    return bad_inputs


def test_there_are_enough_cases_and_each_has_words_of_its_own(matrix):
    given = Counter(case.given for group in matrix.cases().values() for case in group)
    assert given.total() >= LEAST
    assert [words for words, count in given.items() if count > 1] == []


@pytest.mark.slow
def test_bad_input_is_an_error_that_says_what_is_wrong(matrix, tmp_path):
    experiment = tmp_path / 'experiment'
    experiment.mkdir()
    matrix.make_experiment(experiment)
    sample = [case for group in matrix.cases().values() for case in group if case.in_sample]
    faults = {}
    for number, case in enumerate(sample):
        outcome = matrix.run_case(case, experiment, tmp_path / str(number))
        if fault := matrix.fault(case, outcome):
            faults[case.given] = fault, outcome.said[-500:]
    assert faults == {}
