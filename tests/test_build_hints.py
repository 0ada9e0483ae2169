"""Unknown types and keywords in what mmengine's registries build."""

import mmengine.registry
import pytest
from mmseg.registry import DATASETS, HOOKS, MODELS

from segkd_mm.build_hints import BuildError, build_hints, keywords_of


def build(registry, **config):
    with build_hints():
        return registry.build(config)


CONV = dict(type='ConvModule', in_channels=1, out_channels=2, kernel_size=1)


@pytest.mark.parametrize(
    ('registry', 'config', 'message'),
    [
        (HOOKS, dict(type='IterationSedHook'), r"^no hook .*mean 'IterationSeedHook'"),
        # The runner builds from mmengine's own registries.
        (mmengine.registry.HOOKS, dict(type='BestLinkHok'), r"^no hook .*mean 'BestLinkHook'"),
        (
            DATASETS,
            dict(type='RepeatDataset', times=2, dataset=dict(type='CamVidDatset')),
            r"^RepeatDataset: no dataset .*mean 'CamVidDataset'",
        ),
        (
            DATASETS,
            dict(type='CamVidDataset', pipeline=[dict(type='RandomFlip', probb=0.5)]),
            r"^CamVidDataset > RandomFlip: no keyword 'probb' \(did you mean 'prob'\?\)",
        ),
        (
            MODELS,
            dict(**CONV, norm_cfg=dict(type='SyncBNN')),
            r"^ConvModule: no model is registered as 'SyncBNN' \(did you mean 'SyncBN'",
        ),
        (
            MODELS,
            dict(**CONV, norm_cfg=dict(type='BN', epsilon=1)),
            r"^ConvModule > BN: no keyword 'epsilon'.*\bmomentum\b",
        ),
        (MODELS, dict(type='Xyzzy'), r"^no model is registered as 'Xyzzy'\. .*custom_imports"),
        # Of a class that hands keywords on, those of its base count too.
        (MODELS, dict(type='MGDLoss', channels=2, ignore_idx=1), r"did you mean 'ignore_index'"),
    ],
)
def test_an_unknown_name_is_shown_with_its_place_and_near_names(registry, config, message):
    with pytest.raises(BuildError, match=message):
        build(registry, **config)


def test_what_is_right_is_built():
    assert build(MODELS, **CONV).conv.out_channels == 2


def broken(size):
    return {}[size]


def strict(size):
    raise TypeError(f"size is 'x', got {size}")


@pytest.mark.parametrize(('function', 'error'), [(broken, KeyError), (strict, TypeError)])
def test_other_errors_of_what_is_built_pass_as_they_are(function, error):
    with pytest.raises(error) as caught:
        build(MODELS, type=function, size=1)
    assert type(caught.value) is error


def test_a_type_that_is_none_passes_as_it_is():
    with pytest.raises(TypeError, match='type must be a str or valid type'):
        build(MODELS, type=3)


def test_errors_without_a_build_pass_as_they_are():
    with pytest.raises(TypeError, match="'colour'"), build_hints():
        broken(colour=1)


class Base:
    def __init__(self, weight, *, seed=0):
        pass


class Middle(Base):
    pass


class Open(Middle):
    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)


class Closed(Open):
    def __init__(self, name):
        super().__init__(name)


def test_keywords_are_those_that_reach_a_class():
    assert keywords_of(Open) == ['size', 'weight', 'seed']
    assert keywords_of(Closed) == ['name']
    assert keywords_of(broken) == ['size']
