"""A teacher that has said all it has to say before the training."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from inspect import signature
from math import ceil

import torch
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList
from torch import Tensor, nn

from segkd_mm.distill.cut import cut_to
from segkd_mm.distill.inert import Inert
from segkd_mm.distill.taps import TapError
from segkd_mm.distill.teacher import Teacher, model_config
from segkd_mm.distill.view import View
from segkd_mm.teacher_cache import VERSION, CacheError, TeacherCache, as_json
from segkd_mm.weights import digest, read_state_dict

SPEED = ('checkpoint', 'trusted', 'channels_last', 'compile')  # change nothing in what it says


@MODELS.register_module()
class CachedTeacher(Inert):
    """The logits of a teacher on whole photos, from a cache, cut to the student's crops.

    Neither the model is built nor run. Samples come from a
    :class:`segkd_mm.datasets.WithTeacherCache` with the same cache.

    Args:
        cache: Folder that ``tools/cache_teacher.py`` filled.
        view: Arguments of :class:`segkd_mm.distill.view.View`: what the teacher was shown.
        stride: Of the photo; finer logits were averaged down to it.
        **teacher: As of :class:`segkd_mm.distill.teacher.Teacher`, for the check that the cache is
            of this teacher.

    Raises:
        CacheError: There is no cache, or it was made from something else.
        WeightsError: The weights cannot be read.
    """

    needs = 'teacher_logits'

    def __init__(self, cache: str, view: dict | None = None, stride: int = 8, **teacher) -> None:
        super().__init__()
        self.cache = TeacherCache(cache)
        self._arguments = {'view': view, 'stride': stride, 'teacher': teacher}

    def watch(self, taps: Iterable[str], inputs_from: nn.Module) -> None:
        """Say which taps to give out: the one whose logits are in the cache.

        Raises:
            CacheError: The cache was made from something else.
            TapError: Another tap is wanted, too.
        """
        cached = self.cache.index['made_from']['tap']
        for tap in taps:
            if tap != cached:
                raise TapError(
                    f'Tap {tap!r}: the teacher cache {self.cache.folder} holds {cached!r} alone. '
                    "Learn from that, or write type='Teacher' to run the teacher in training."
                )
            self.cache.check_made_from(made_from(tap=tap, **self._arguments))
        self.tap = cached

    @torch.no_grad()
    def forward(
        self,
        inputs: Tensor,
        taps: Collection[str] | None = None,
        data_samples: OptSampleList = None,
    ) -> dict[str, Tensor]:
        """The logits on the student's images [N, 3, H, W], float32, by tap name.

        Args:
            inputs: Of which the size alone counts.
            taps: What is wanted now.
            data_samples: With what ``WithTeacherCache`` gave them; None for a trial, which gets 0.

        Raises:
            CacheError: The samples come from another data set.
        """
        size = tuple(ceil(side / self.cache.stride) for side in inputs.shape[2:])
        if data_samples is None:
            zeros = inputs.new_zeros(len(inputs), self.cache.channels, *size)
            return {self.tap: zeros}
        if any(self.needs not in sample for sample in data_samples):
            raise CacheError(
                "The samples bring no teacher's logits: wrap the training data in "
                f"dict(type='WithTeacherCache', cache='{self.cache.folder}', dataset=...)."
            )
        cut = [
            cut_to(tuple(inputs.shape[2:]), size, s.teacher_logits, s.photo_size, s.to_photo)
            for s in data_samples
        ]
        return {self.tap: torch.stack(cut)}


def made_from(view: Mapping | None, stride: int, teacher: Mapping, tap: str) -> dict:
    """All that decides what a teacher says to a photo, as JSON holds it.

    Arguments are those of :class:`CachedTeacher`.

    Raises:
        TypeError: An argument that the teacher or the view does not have.
        WeightsError: The weights cannot be read.
    """
    given = signature(Teacher).bind(**teacher)
    given.apply_defaults()
    options = given.arguments
    return as_json(
        {
            'format': VERSION,
            'weights': digest(read_state_dict(options['checkpoint'], options['trusted'])),
            'teacher': {key: value for key, value in options.items() if key not in SPEED}
            | {'model': model_config(options['model'])},
            'tap': tap,
            'view': asdict(View(**view or {})),
            'stride': stride,
        }
    )
