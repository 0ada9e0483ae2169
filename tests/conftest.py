"""What tests of several folders need: real data where there is any, and tiny experiments."""

import gc
import logging
import os
from collections.abc import Callable, Iterator
from math import ceil, sqrt
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS
from torch import Tensor

import segkd_mm  # noqa: F401  registers the components
from segkd_mm.config import load_config
from segkd_mm.datasets.shapes import make_shapes

NUM_TRAIN, NUM_VAL = 16, 4
LARGE = 2**20  # weights of a layer


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """With several processes, tests of a group run in one, where they share what they make."""
    if config.option.numprocesses and config.option.dist == 'no':
        config.option.dist = 'loadgroup'


def pytest_configure() -> None:
    """The tools that tests start take one thread each, as the tests do."""
    os.environ.setdefault('OMP_NUM_THREADS', '1')


def pytest_collection_finish() -> None:
    """What the imports made is not garbage: frozen, it is not searched again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _mmseg_scope() -> None:
    init_default_scope('mmseg')


@pytest.fixture(autouse=True)
def _log_level() -> Iterator[None]:
    """Tools that run in this process silence the logs of libraries; the next test hears them."""
    disabled = logging.root.manager.disable
    yield
    logging.disable(disabled)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The nets of these tests are so small that a second thread waits more than it works."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope='session', autouse=True)
def _plain_dumps() -> Iterator[None]:
    """Configs are logged and saved as mmengine writes them: yapf took half of a short training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **_: (text, True))
        patch.setattr('mmengine.runner.runner.collect_env', lambda: {'sys.platform': 'test'})
        yield


@pytest.fixture(scope='session', autouse=True)
def _quick_loaders() -> Iterator[None]:
    """Data sets of mmengine's collect all garbage as they load, which takes longer than the rest.

    A loader that becomes garbage waits up to five seconds for each of its workers.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.dataset.base_dataset.gc', SimpleNamespace(collect=lambda: 0))
        patch.setattr('segkd_mm.cli.train.gc', SimpleNamespace(freeze=lambda: None))
        patch.setattr('torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL', 0.2)
        yield


@pytest.fixture(scope='session', autouse=True)
def _quick_initialisation() -> Iterator[None]:
    """Large layers repeat a sixteenth of their random weights.

    Many tests build models of tens of millions of weights, whose values matter to none of them.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in ('kaiming_uniform_', 'kaiming_normal_'):
            patch.setattr(torch.nn.init, name, _repeated(getattr(torch.nn.init, name)))
        yield


def _repeated(initialise: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def initialise_part(tensor: Tensor, a: float = 0, mode: str = 'fan_in', *args, **kwargs):
        if tensor.is_meta or tensor.numel() < LARGE:
            return initialise(tensor, a, mode, *args, **kwargs)
        part = initialise(tensor[: len(tensor) // 16 + 1].detach(), a, mode, *args, **kwargs)
        scale = sqrt(len(part) / len(tensor)) if mode == 'fan_out' else 1
        times = ceil(len(tensor) / len(part))
        with torch.no_grad():
            return tensor.copy_((part * scale).repeat(times, *[1] * (part.ndim - 1))[: len(tensor)])

    return initialise_part


@pytest.fixture(scope='session')
def real_data() -> Path:
    """The folder of real images, masks and weights."""
    if 'SEGKD_DATA' not in os.environ:
        pytest.skip('SEGKD_DATA does not name a folder of real images and weights (see README)')
    return Path(os.environ['SEGKD_DATA'])


@pytest.fixture(scope='session')
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shapes data set of a few images."""
    root = tmp_path_factory.mktemp('data') / 'shapes'
    make_shapes(root, NUM_TRAIN, NUM_VAL)
    return root


@pytest.fixture(scope='session')
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the shapes teacher; random, which is all that most tests ask of it."""
    init_default_scope('mmseg')
    torch.manual_seed(7)
    model = MODELS.build(load_config('teacher/mnv3s_wide_shapes.py').model)
    path = tmp_path_factory.mktemp('weights') / 'teacher.pth'
    torch.save(model.state_dict(), path)
    return path


@pytest.fixture
def tiny(shapes: Path, teacher_file: Path, tmp_path: Path):
    """Make a config small: ``tiny('kd/response_kd_shapes.py', 'run', **options)``."""

    def make(name: str, run: str = 'run', **options) -> Config:
        config = load_config(name, {'data_root': str(shapes)})
        for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
            loader.update(num_workers=0, persistent_workers=False)
            loader.dataset.update(num_train=NUM_TRAIN, num_val=NUM_VAL)
        config.train_dataloader.batch_size = 4
        config.train_cfg.update(max_epochs=2, val_interval=1)
        config.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=-1)
        config.log_level = 'ERROR'
        config.work_dir = str(tmp_path / run)
        config.experiment_name = uuid4().hex  # mmengine keeps state by this name
        if config.model.type == 'SegDistiller':
            config.model.teacher.checkpoint = str(teacher_file)
        config.merge_from_dict(options)
        return config

    return make
