"""Time and peak memory of training steps, measured side by side for several configs."""

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
from segkd_mm.measure.model_cost import MIB, peak_allocation
from segkd_mm.whole_image.packing import Storage
from segkd_mm.whole_image.samples import FIELD, WholeImage
from segkd_mm.whole_image.teacher import cells

IMAGE_SCALE = 1.5  # side of an image over that of its crop, as for CamVid in our configs


class TrainingStep:
    """A callable training step of a model on a batch: forward, backward, optimizer.

    Args:
        model: Any mmseg model, on its device.
        config: Config of its experiment, for the optimizer.
        batch: A batch of the training data loader.
    """

    def __init__(self, model: nn.Module, config: Config, batch: dict) -> None:
        self.model = model.train()
        self.wrapper = build_optim_wrapper(model, config.optim_wrapper)
        self.batch = batch

    def __call__(self) -> None:
        self.model.train_step(_copied(self.batch), self.wrapper)


class TermsStep:
    """A callable forward and backward pass of only a distiller's terms, on fixed tap outputs.

    Their time is too small to measure as the difference of two training steps.

    Args:
        model: A distiller, on its device.
        batch: A batch of the training data loader.
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
    # The preprocessor pads masks in place: give it copies.
    samples = [sample.clone() for sample in batch['data_samples']]
    return dict(inputs=list(batch['inputs']), data_samples=samples)


def build_model(config: Config, device: torch.device) -> nn.Module:
    """Build the model of a config, with the weights of its scheduled terms at their maximum."""
    init_default_scope(config.get('default_scope', 'mmseg'))
    model = MODELS.build(config.model).to(device)
    set_highest_weights(model)
    return model


def set_highest_weights(model: nn.Module) -> None:
    """Set scheduled terms to their highest weight; models without terms are not changed."""
    for term in getattr(model, 'terms', {}).values():
        if term.schedule:
            term.set_progress(max(term.schedule, key=lambda point: point[1])[0])


def random_batch(
    batch_size: int,
    size: tuple[int, int],
    num_classes: int,
    taps: Mapping[str, Storage] | None = None,
) -> dict:
    """Make a batch of noise images, uint8 [3, H, W], and masks of 16 x 16 blocks.

    With ``taps``, samples also have a whole image and a teacher's maps of noise, like those of
    ``WithWholeImage`` and ``WithTeacherCache``.
    """
    rows, columns = (-(-side // 16) for side in size)
    blocks = torch.randint(0, num_classes, (batch_size, 1, rows, columns))
    labels = blocks.repeat_interleave(16, 2).repeat_interleave(16, 3)[..., : size[0], : size[1]]
    meta = dict(img_shape=size, ori_shape=size)
    samples = [SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=mask)) for mask in labels]
    if taps is not None:
        image = tuple(round(IMAGE_SCALE * side) for side in size)
        for sample in samples:
            record = WholeImage(
                size=image,
                affine=np.eye(2, 3),
                maps={
                    tap: torch.randn(stored.channels, *cells(image, stored.stride)).half()
                    for tap, stored in taps.items()
                },
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
    """Measure the median time and the peak memory of training steps, in turn, by name.

    Returns:
        ``ms``, ``peak_mib`` (memory of a step above weights and optimizer state) and ``repeats``.
    """
    times = time_in_turn(steps, device, warmup, repeats, seconds=600)
    return {
        name: {
            'ms': 1000 * median(times[name]),
            'peak_mib': peak_allocation(step, device) / MIB,
            'repeats': len(times[name]),
        }
        for name, step in steps.items()
    }
