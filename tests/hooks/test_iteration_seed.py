from types import SimpleNamespace

import pytest
from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader

from segkd_mm.datasets import ReplayEpochSampler, ReplayInfiniteSampler
from segkd_mm.hooks import IterationSeedHook

DATA = list(range(6))


def start(**loader):
    IterationSeedHook().before_train(
        SimpleNamespace(train_dataloader=DataLoader(DATA, **loader)),
    )


@pytest.mark.parametrize('kind', [ReplayEpochSampler, ReplayInfiniteSampler])
def test_a_replay_sampler_passes_and_keeps_all_its_samples(kind):
    sampler = kind(DATA, shuffle=False, seed=0)
    start(sampler=sampler, batch_size=2)
    start(batch_sampler=BatchSampler(sampler, 2, drop_last=True))
    start(sampler=sampler, batch_size=None)
    assert next(iter(sampler)) == 0


def test_a_sampler_that_counts_in_other_batches_is_an_error():
    sampler = ReplayEpochSampler(DATA, seed=0)
    sampler.batch_size = 3
    start(sampler=sampler, batch_size=3)
    with pytest.raises(ValueError, match=r'sampler.batch_size is 3, .*batch_size is 2'):
        start(sampler=sampler, batch_size=2)


@pytest.mark.parametrize('shuffle', [False, True])
def test_a_sampler_of_plain_indices_is_an_error_that_says_what_to_write(shuffle):
    message = '(SequentialSampler|RandomSampler).*ReplayEpochSampler.*ReplayInfiniteSampler'
    with pytest.raises(TypeError, match=message):
        start(shuffle=shuffle, batch_size=2)


def test_a_training_with_mmengines_sampler_does_not_start(tiny):
    config = tiny('student/mnv3s_slim_shapes.py')
    config.train_dataloader.sampler.type = 'DefaultSampler'
    runner = Runner.from_cfg(config)
    with pytest.raises(TypeError, match=r'sampler DefaultSampler, .*exact resume'):
        runner.train()
    assert runner.iter == 0
