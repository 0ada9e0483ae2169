"""What training steps cost: time and peak memory of one, side by side for several configs."""

from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import nn

from segkd_mm.distill.taps import Taps
from segkd_mm.measure.latency import time_in_turn
from segkd_mm.measure.model_cost import MIB, peak_growth
from segkd_mm.whole_image.samples import FIELD, WholeImage

IMAGE = 1.5  # sides of an image in those of its crop, as CamVid's in our configs


class TrainingStep:
    """One training step of a model on a batch: forward, backward, optimizer; call it to run it.

    Args:
        model: Any mmseg model, on its device.
        config: Its experiment, for the optimizer.
        batch: As the training data loader gives it.
    """

    def __init__(self, model: nn.Module, config: Config, batch: dict) -> None:
        self.model = model.train()
        self.wrapper = build_optim_wrapper(model, config.optim_wrapper)
        self.batch = batch

    def __call__(self) -> None:
        self.model.train_step(_copied(self.batch), self.wrapper)


class TermsAlone:
    """Forward and backward of a distiller's terms on what its taps put out; call it to run them.

    A step takes so much longer by other work that the difference of two steps does not tell it.

    Args:
        model: A distiller, on its device.
        batch: As the training data loader gives it.
    """

    def __init__(self, model: nn.Module, batch: dict) -> None:
        data = model.train().data_preprocessor(_copied(batch), True)
        self.terms = model.terms
        taps = Taps(model.student, {term.student for term in self.terms.values()})
        with taps:
            model.student.loss(**data)
        self.student = {name: x.detach().requires_grad_() for name, x in taps.pop().items()}
        self.teacher = model.teacher(data['inputs'], data_samples=data['data_samples'])
        self.labels = torch.cat([sample.gt_sem_seg.data for sample in data['data_samples']])

    def __call__(self) -> None:
        losses = [
            t(self.student[t.student], self.teacher, self.labels) for t in self.terms.values()
        ]
        sum(losses).backward()


def _copied(batch: dict) -> dict:
    # The preprocessor pads labels in place; those of the batch stay as they are.
    samples = [sample.clone() for sample in batch['data_samples']]
    return dict(inputs=list(batch['inputs']), data_samples=samples)


def build_model(config: Config, device: torch.device) -> nn.Module:
    """The model of a config with every schedule at its highest weight."""
    init_default_scope(config.get('default_scope', 'mmseg'))
    model = MODELS.build(config.model).to(device)
    set_highest(model)
    return model


def set_highest(model: nn.Module) -> None:
    """Put terms with a schedule where their weight is highest; models without terms stay."""
    for term in getattr(model, 'terms', {}).values():
        if term.schedule:
            term.set_progress(max(term.schedule, key=lambda point: point[1])[0])


def random_batch(
    batch_size: int, size: tuple[int, int], num_classes: int, stride: int | None = None
) -> dict:
    """Images of noise, uint8 [3, H, W], and labels in blocks of 16 pixels.

    With a ``stride``, samples also have a whole image and a teacher's logits of that stride, as
    ``WithWholeImage`` and ``WithTeacherCache`` give them.
    """
    rows, columns = (-(-side // 16) for side in size)
    blocks = torch.randint(0, num_classes, (batch_size, 1, rows, columns))
    labels = blocks.repeat_interleave(16, 2).repeat_interleave(16, 3)[..., : size[0], : size[1]]
    meta = dict(img_shape=size, ori_shape=size)
    samples = [SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=one)) for one in labels]
    if stride:
        image = tuple(round(IMAGE * side) for side in size)
        cells = [-(-side // stride) for side in image]
        for sample in samples:
            record = WholeImage(
                size=image,
                affine=np.eye(2, 3),
                logits=torch.randn(num_classes, *cells).half(),
                image=torch.randint(0, 256, (3, *image), dtype=torch.uint8),
            )
            sample.set_data({FIELD: record})
    images = torch.randint(0, 256, (batch_size, 3, *size), dtype=torch.uint8)
    return dict(inputs=list(images), data_samples=samples)


def step_costs(
    steps: Mapping[str, Callable[[], object]],
    device: torch.device,
    repeats: int = 10,
    warmup: int = 2,
) -> dict[str, dict[str, float]]:
    """Median time and peak memory of one step by name, all measured in turn in one run.

    Returns:
        ``ms``, ``peak_mib`` (what a step needs above weights and optimizer state) and ``repeats``.
    """
    times = time_in_turn(steps, device, warmup, repeats, seconds=600)
    return {
        name: {
            'ms': 1000 * median(times[name]),
            'peak_mib': peak_growth(step, device) / MIB,
            'repeats': len(times[name]),
        }
        for name, step in steps.items()
    }
