"""Experiment trackers that a training can write to: TensorBoard, Weights & Biases, MLflow."""

import os
from pathlib import Path
from typing import Any

from segkd_mm.libraries import import_library

BACKENDS = {
    'tensorboard': 'TensorboardVisBackend',
    'wandb': 'WandbVisBackend',
    'mlflow': 'MLflowPicturesBackend',
}
LOOK = {
    'tensorboard': 'tensorboard --logdir {folder}',
    'wandb': 'wandb sync {folder}/*/vis_data/wandb/offline-run-*',
    'mlflow': 'mlflow ui --backend-store-uri sqlite:///{folder}/mlflow.db',
}


def tracker_backend(name: str, work_dir: str | os.PathLike) -> dict[str, Any]:
    """The config of mmengine's backend for a tracker that keeps its data in a work directory.

    Weights & Biases keeps its runs on this machine, unless ``WANDB_MODE`` says otherwise. MLflow
    gets a database, as its plain folders are no longer written.

    Raises:
        ImportError: The tracker is not installed.
    """
    import_library(name, 'trackers')
    backend: dict[str, Any] = dict(type=BACKENDS[name])
    if name == 'wandb':
        mode = os.environ.get('WANDB_MODE', 'offline')
        backend['init_kwargs'] = dict(project='segkd_mm', mode=mode)
    if name == 'mlflow':
        folder = Path(work_dir).absolute()
        backend['exp_name'] = 'segkd_mm'  # the default one has its files elsewhere
        backend['tracking_uri'] = f'sqlite:///{folder}/mlflow.db'
        backend['artifact_location'] = str(folder / 'mlflow')
    return backend


def how_to_look(name: str, work_dir: str | os.PathLike) -> str:
    """The command that shows what a tracker holds in a work directory."""
    return LOOK[name].format(folder=Path(work_dir).absolute())
