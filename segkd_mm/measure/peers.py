"""Light models of other libraries, with random weights, for comparison in benchmarks."""

import torch
from mmengine.config import Config
from torch import Tensor, nn

from segkd_mm.config import config_dir
from segkd_mm.deploy import FastLabelMap
from segkd_mm.measure.candidate import build_deployed


def peer_configs(num_classes: int) -> dict[str, dict]:
    """Configs of the models by name, with the given number of classes."""
    files = sorted((config_dir() / '_base_' / 'peers').glob('*.py'))
    models = {file.stem: Config.fromfile(file).peer for file in files}
    for model in models.values():
        model.get('decode_head', model).num_classes = num_classes
    return models


@torch.inference_mode()
def build_peers(num_classes: int, images: Tensor) -> dict[str, nn.Module]:
    """Build the models that are installed and accept the images; print which are left out."""
    models = {}
    for name, model in peer_configs(num_classes).items():
        try:
            peer = build_deployed(model, images.device)
            FastLabelMap.from_model(peer)(images)
        except (ImportError, RuntimeError) as error:
            print(f'{name} is left out: {error}')
        else:
            models[name] = peer
    return models
