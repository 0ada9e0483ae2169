"""Train and distil a first student in minutes, without a download."""

import logging
import warnings
from argparse import Namespace
from copy import deepcopy
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from mmcv.image import imread
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmseg.registry import MODELS
from rich import print as show
from torch import nn

from segkd_mm.commands import command
from segkd_mm.config import load_config, plain_student
from segkd_mm.deploy import FastLabelMap
from segkd_mm.measure.latency import measure_latency
from segkd_mm.measure.model_cost import count_gmacs, count_parameters
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table
from segkd_mm.schedule import set_epochs
from segkd_mm.visualize.overlays import image_grid
from segkd_mm.weights import load_strictly, read_state_dict

CONFIGS = {
    'teacher': 'teacher/mnv3s_wide_shapes.py',
    'student': 'student/mnv3s_slim_shapes.py',
    'distilled student': 'kd/feature_kd_shapes.py',
}
SIZE = (160, 160)
SAMPLES = 4


def experiment(name: str, args: Namespace) -> Config:
    """The config of one of the three trainings, below the common work directory."""
    options = {
        'data_root': str(args.work_dir / 'shapes'),
        'randomness.seed': args.seed,
    }
    if name == 'distilled student':
        options['model.teacher.checkpoint'] = str(args.work_dir / 'teacher' / 'best.pth')
    config = load_config(CONFIGS[name], options)
    if args.epochs:
        set_epochs(config, args.epochs)
    config.work_dir = str(args.work_dir / name.replace(' ', '_'))
    config.experiment_name = name
    config.log_level = 'ERROR'
    config.resume = Path(config.work_dir, 'last_checkpoint').exists()
    config.custom_hooks.append(dict(type='ProgressHook', title=name))
    return config


def train(config: Config) -> float:
    """Train; return the best validation mIoU in percent."""
    runner = Runner.from_cfg(config)
    logging.disable(logging.WARNING)  # the bar stands in for the log
    runner.train()
    return float(runner.message_hub.get_info('best_score'))


def trained_model(config: Config) -> nn.Module:
    """The plain model with its best weights."""
    init_default_scope('mmseg')
    model = MODELS.build(plain_student(config).model)
    best = f'{config.work_dir}/best.pth'
    load_strictly(model, read_state_dict(best), best, ignore=['terms.'])
    return model.eval()


def table(models: dict[str, nn.Module], miou: dict[str, float]) -> list[dict]:
    """Rows with the mIoU and the costs of each model."""
    images = torch.randint(0, 256, (1, 3, *SIZE), dtype=torch.uint8)
    runs = {name: FastLabelMap.from_model(model) for name, model in models.items()}
    latency = measure_latency(runs, images)
    return [
        {
            'model': name,
            'mIoU': miou[name],
            'parameters': count_parameters(model),
            'GMACs': count_gmacs(model, SIZE),
            'FPS': latency[name].fps,
        }
        for name, model in models.items()
    ]


def picture(
    path: Path, models: dict[str, nn.Module], miou: dict[str, float], config: Config
) -> None:
    """Image, truth and the three predictions for a few validation images."""
    loader = Runner.build_dataloader(config.val_dataloader)
    rows = [pictures_of(batch, models) for batch in islice(loader, SAMPLES)]
    meta = loader.dataset.metainfo
    image_grid(path, ['image', 'truth', *models], rows, meta['classes'], meta['palette'], miou)


def pictures_of(batch: dict, models: dict[str, nn.Module]) -> list[np.ndarray]:
    """One row of the picture, of a batch of one image."""
    with torch.inference_mode():
        outputs = [model.test_step(deepcopy(batch))[0] for model in models.values()]
    image = imread(outputs[0].img_path, channel_order='rgb')
    masks = [outputs[0].gt_sem_seg, *(output.pred_sem_seg for output in outputs)]
    return [image, *(mask.data[0].numpy() for mask in masks)]


def run(args: Namespace) -> None:
    """Run the command."""
    warnings.filterwarnings('ignore')
    # On so small images a second thread waits more than it works, and the data loaders want a core.
    torch.set_num_threads(1)
    configs = {name: experiment(name, args) for name in CONFIGS}
    miou = {name: train(config) for name, config in configs.items()}
    models = {name: trained_model(config) for name, config in configs.items()}
    rows = table(models, miou)
    picture(args.work_dir / 'comparison.png', models, miou, configs['student'])
    write_result(args.work_dir / 'quickstart.json', {'seed': args.seed, 'models': rows})
    size = 'x'.join(map(str, SIZE))
    show(console_table(rows, title=f'shapes: best validation mIoU; FPS at {size}'))
    print(
        f'Picture: {args.work_dir / "comparison.png"}\n'
        f'Numbers: {args.work_dir / "quickstart.json"}\n'
        'Next: your own data and teacher, see "Distil on real images" in README.md, such as\n'
        f'  {command("train")} configs/kd/feature_kd_voc.py --cfg-options data_root=DIR'
    )
