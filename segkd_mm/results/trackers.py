"""Experiment trackers that a training can write to: TensorBoard, Weights & Biases, MLflow."""

import os
from pathlib import Path
from typing import Any

from segkd_mm.libraries import import_library

BACKENDS = {
    'tensorboard': 'TensorboardVisBackend',
    'wandb': 'WandbVisBackend',
    'mlflow': 'MLflowVisBackend',
}
LOOK = {
    'tensorboard': 'tensorboard --logdir {folder}',
    'wandb': 'wandb sync {folder}/wandb/offline-run-*',
    'mlflow': 'mlflow ui --backend-store-uri {folder}',
}


def tracker_backend(name: str) -> dict[str, Any]:
    """The config of mmengine's backend for a tracker.

    Weights & Biases keeps its runs on this machine, unless ``WANDB_MODE`` says otherwise.

    Raises:
        ImportError: The tracker is not installed.
    """
    import_library(name, 'trackers')
    backend: dict[str, Any] = dict(type=BACKENDS[name])
    if name == 'wandb':
        mode = os.environ.get('WANDB_MODE', 'offline')
        backend['init_kwargs'] = dict(project='segkd_mm', mode=mode)
    return backend


def how_to_look(name: str, folder: str | os.PathLike) -> str:
    """The command that shows what a tracker holds in ``folder``."""
    return LOOK[name].format(folder=Path(folder))
