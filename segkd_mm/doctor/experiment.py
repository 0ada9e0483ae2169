"""The checked experiment: its config, model and data, built on first use."""

from collections.abc import Iterator
from functools import cached_property
from itertools import islice

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed
from mmseg.registry import DATASETS, MODELS
from torch import nn
from torch.utils.data import DataLoader, Dataset

from segkd_mm.evenly_spaced import evenly_spaced
from segkd_mm.hooks.class_weights import set_class_weights
from segkd_mm.labels import UNLABELLED, VOID
from segkd_mm.measure.step_cost import set_highest_weights
from segkd_mm.weights import load_strictly, read_state_dict


class Experiment:
    """An experiment whose model and data are built on first use.

    Args:
        config: Config of a training, with or without distillation.
        device: Device of the models.
        student: Checkpoint of the student; None for its initial weights.
    """

    def __init__(self, config: Config, device: str = 'cpu', student: str | None = None) -> None:
        init_default_scope(config.get('default_scope', 'mmseg'))
        self.config = config
        self.device = torch.device(device)
        self.checkpoint = student
        self._datasets: dict[str, Dataset] = {}

    @property
    def is_distilled(self) -> bool:
        """Whether the experiment has a teacher."""
        return self.config.model.type == 'SegDistiller'

    @cached_property
    def model(self) -> nn.Module:
        """The complete model at the start of training; scheduled terms at their highest weight.

        With the class weights that a ClassWeightHook of the config sets.
        """
        set_random_seed(self.config.get('randomness', {}).get('seed') or 0)
        model = MODELS.build(self.config.model)
        model.init_weights()
        if self.checkpoint:
            state = read_state_dict(self.checkpoint)
            student = getattr(model, 'student', model)
            load_strictly(student, state, self.checkpoint, ignore=['terms.'])
        set_highest_weights(model)
        if any(hook['type'] == 'ClassWeightHook' for hook in self.config.get('custom_hooks') or []):
            set_class_weights(model, self.dataset('train'))
        return model.to(self.device)

    @property
    def student(self) -> nn.Module:
        """The student without the distiller."""
        return self.model.student if self.is_distilled else self.model

    def dataset(self, split: str) -> Dataset:
        """The data set of ``train`` or ``val``, built once."""
        if split not in self._datasets:
            self._datasets[split] = DATASETS.build(self.config[f'{split}_dataloader'].dataset)
        return self._datasets[split]

    def loader(self, split: str) -> DataLoader:
        """The data loader of ``train`` or ``val``, without worker processes."""
        overrides = dict(dataset=self.dataset(split), num_workers=0, persistent_workers=False)
        return Runner.build_dataloader({**self.config[f'{split}_dataloader'], **overrides}, seed=0)

    def batches(self, split: str, count: int) -> Iterator[dict]:
        """Iterate over ``count`` batches of the training, or evenly spaced samples of ``val``."""
        if split == 'train':
            return islice(self.loader(split), count)
        dataset = self.dataset(split)
        return (pseudo_collate([dataset[index]]) for index in evenly_spaced(len(dataset), count))


def with_void(batch: dict) -> dict:
    """A copy of a batch for a student without a distiller: void where an image has no labels."""
    samples = [sample.clone() for sample in batch['data_samples']]
    for sample in samples:
        sample.gt_sem_seg.data[sample.gt_sem_seg.data == UNLABELLED] = VOID
    return {**batch, 'data_samples': samples}
