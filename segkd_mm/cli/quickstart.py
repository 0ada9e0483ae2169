"""Train a first student with few labels and a teacher, in minutes, without a download."""

import logging
import os
import warnings
from argparse import Namespace
from collections.abc import Mapping
from copy import deepcopy
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from mmcv.image import imread
from mmengine.runner import Runner
from rich import print as show
from torch import nn

from segkd_mm.cli.compare import stop_cleanly
from segkd_mm.commands import command
from segkd_mm.config import plain_student
from segkd_mm.deploy.loading import load_model
from segkd_mm.results.files import read_results, write_result
from segkd_mm.results.runs.cells import Cell, Method, check_hashes
from segkd_mm.results.runs.progress import clock
from segkd_mm.results.runs.scheduler import run_cells
from segkd_mm.results.runs.training import last_checkpoint, run_cell
from segkd_mm.results.runs.training_progress import TrainingProgress
from segkd_mm.results.tables import console_table
from segkd_mm.visualize.overlays import image_grid

TEACHER = 'teacher/mnv3s_wide_shapes_1_10.py'
PLAIN = 'few_labels/mnv3s_plain_shapes_1_10.py'
DISTILLED = 'few_labels/mnv3s_pseudo_shapes_1_10.py'
# As the configs say it, which the tests compare.
SEES = {
    'teacher': '80 with labels',
    'plain': '8 with labels',
    'distilled': '8 with labels, 72 without',
}
SAMPLES = 5
NEXT = """\
Next, with your own images and masks, in two folders:
  {new} --images IMAGES --masks MASKS --classes background road car --out mine.py
With a teacher and images without masks, as here, add
  --teacher torchvision://fcn_resnet50 --unlabelled MORE_IMAGES
It writes a config and prints the commands to run. More: docs/your_data.md, docs/few_labels.md"""


def plan(args: Namespace) -> dict[str, Cell]:
    """The three trainings by name, the teacher first, in a folder for each seed.

    Raises:
        ValueError: The folder holds trainings of other configs or of another length.
    """
    folder = args.work_dir / f'seed_{args.seed}'
    data = [f'data_root={args.work_dir / "shapes"}']
    teacher = Method.load(TEACHER, data, args.epochs)
    last = f'epoch_{teacher.config.train_cfg.max_epochs}.pth'
    taught = [
        f'model.teacher.checkpoint={folder / "teacher" / last}',
        f'model.teacher.cache={folder / "cache"}',
        f'train_dataloader.dataset.cache={folder / "cache"}',
    ]
    methods = {
        'teacher': teacher,
        'plain': Method.load(PLAIN, data, args.epochs),
        'distilled': Method.load(DISTILLED, [*data, *taught], args.epochs),
    }
    cells = {
        name: Cell(method, args.seed, result_file(folder, method, args.seed), folder / name)
        for name, method in methods.items()
    }
    check_hashes([*cells.values()])
    return cells


def result_file(folder: Path, method: Method, seed: int) -> Path:
    """Where the test result of a training is, as in a comparison."""
    return folder / 'results' / method.name / f'{seed}.json'


def train(cells: Mapping[str, Cell]) -> None:
    """Train and test models side by side, those that are not done yet.

    Raises:
        SystemExit: A training failed, or another process is running it.
    """
    missing = {name: cell for name, cell in cells.items() if not cell.is_done}
    if not missing:
        return
    with TrainingProgress(missing) as progress:
        outcome = run_cells([*missing.values()], len(missing), run_cell, progress)
    if outcome.failed or outcome.already_running:
        elsewhere = [f'another process runs {name}' for name in outcome.already_running]
        raise SystemExit('\n'.join([*outcome.failed.values(), *elsewhere]))


def table(results: dict[str, dict]) -> list[dict]:
    """Rows of what each model saw, and its test mIoU."""
    return [
        {'model': name, 'training images': SEES[name], 'test mIoU': result['metrics']['mIoU']}
        for name, result in results.items()
    ]


def picture(path: Path, cells: dict[str, Cell], miou: dict[str, float]) -> None:
    """Image, truth and predictions of the first test images."""
    models = {
        name: load_model(plain_student(cell.method.config), str(last_checkpoint(cell.work_dir)))
        for name, cell in cells.items()
    }
    loader = Runner.build_dataloader(deepcopy(cells['plain'].method.config.test_dataloader))
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


def run(args: Namespace) -> int:
    """Run the command; gives out 130 when it was stopped."""
    warnings.filterwarnings('ignore')
    logging.disable(logging.WARNING)
    stop_cleanly()
    torch.set_num_threads(1)  # what is predicted here is small
    cells, start = plan(args), os.times()
    students = {name: cell for name, cell in cells.items() if name != 'teacher'}
    try:
        train({'teacher': cells['teacher']})
        train(students)
    except KeyboardInterrupt:
        print('Stopped. It goes on where it was when it is started again.')
        return 130
    report(cells, start)
    return 0


def report(cells: dict[str, Cell], start: os.times_result) -> None:
    """Print and write the table, and draw the picture."""
    found = read_results(cell.result for cell in cells.values())
    results = dict(zip(cells, found, strict=True))
    rows, folder = table(results), cells['plain'].work_dir.parent
    miou = {row['model']: row['test mIoU'] for row in rows}
    students = {name: cell for name, cell in cells.items() if name != 'teacher'}
    picture(folder / 'comparison.png', students, {name: miou[name] for name in students})
    gain, took = miou['distilled'] - miou['plain'], seconds_since(start)
    payload = {'seed': cells['plain'].seed, 'gain': gain, 'rows': rows, **took}
    write_result(folder / 'quickstart.json', payload)
    show(console_table(rows, title=f'shapes: {found[0]["images"]} test images'))
    print(
        f'The same student with the same 8 labels: {gain:+.1f} mIoU by distillation.\n'
        f'Time: {clock(took["seconds"])} ({clock(took["cpu_seconds"])} of CPU)\n'
        f'Picture: {folder / "comparison.png"}\n'
        f'Numbers: {folder / "quickstart.json"}\n\n{NEXT.format(new=command("new"))}'
    )


def seconds_since(start: os.times_result) -> dict[str, float]:
    """Seconds of time and of CPU, of this process and those that it started."""
    now = os.times()
    spent = [after - before for before, after in zip(start, now, strict=True)]
    return {'seconds': spent[4], 'cpu_seconds': sum(spent[:4])}
