"""A teacher whose maps of whole images, logits or features, are read from a cache."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from typing import Any

import torch
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList
from torch import Tensor, nn

from segkd_mm.commands import command
from segkd_mm.distill.ensemble import members_of
from segkd_mm.distill.taps import TapError
from segkd_mm.distill.teacher import teacher_options
from segkd_mm.weights import digest, read_state_dict
from segkd_mm.whole_image.checks import VERSION
from segkd_mm.whole_image.store import TeacherCache, as_json
from segkd_mm.whole_image.teacher import CroppingTeacher, cells
from segkd_mm.whole_image.view import View

# Options of a teacher that do not change its maps.
WITHOUT_EFFECT = ('checkpoint', 'trusted', 'channels_last', 'compile')
# Options that earlier caches do not know; these values change nothing.
LATER = {'bands': None, 'pixel_scale': 1.0}


@MODELS.register_module()
class CachedTeacher(CroppingTeacher):
    """A teacher whose maps of whole images are read from a cache and cropped like the student's.

    The model is neither built nor run. Samples come from a
    :class:`segkd_mm.whole_image.WithTeacherCache` with the same cache.

    Args:
        cache: Folder that ``tools/cache_teacher.py`` filled.
        teacher: Config of the :class:`segkd_mm.distill.teacher.Teacher`, or of a
            :class:`segkd_mm.distill.ensemble.TeacherEnsemble` of them; the cache must have been
            made from the same weights and options.
        view: Arguments of :class:`segkd_mm.whole_image.View`: how the teacher sees an image.
        stride: Of the stored maps, in pixels of the image; finer ones are resized down to it.
            Logits are cropped at this stride of the crop, features at their own if coarser.

    Raises:
        CacheError: There is no cache, or it was made from something else.
        TypeError: The teacher has no such option.
        ValueError: An ensemble drops its members.
        WeightsError: The weights cannot be read.
    """

    needs = 'maps'

    def __init__(
        self, cache: str, teacher: dict, view: dict | None = None, stride: int = 8
    ) -> None:
        super().__init__()
        self.cache = TeacherCache(cache)
        self.wrapper = f"dict(type='WithTeacherCache', cache='{cache}', dataset=...)"
        self._arguments = {'teacher': teacher, 'view': view, 'stride': stride}

    def prepare(self, taps: Iterable[str], inputs_from: nn.Module) -> None:
        """Set which taps to give out, of those that are in the cache.

        Raises:
            CacheError: The cache was made from something else.
            TapError: A tap is not in it.
        """
        self.strides = {tap: self._stride(tap) for tap in sorted(set(taps))}
        wanted = made_from(taps=self.cache.taps, **self._arguments)
        self.cache.check_made_from(wanted)

    def _stride(self, tap: str) -> int:
        if tap not in self.cache.taps:
            raise TapError(
                f'Tap {tap!r}: the teacher cache {self.cache.folder} holds '
                f'{", ".join(map(repr, self.cache.taps))} alone. Learn from those; or remove the '
                f'folder and make it again with: {command("cache")} CONFIG; or write '
                "type='WholeImageTeacher' to run the teacher in training."
            )
        return self.cache.taps[tap].stride

    @torch.no_grad()
    def forward(
        self,
        inputs: Tensor,
        taps: Collection[str] | None = None,
        data_samples: OptSampleList = None,
    ) -> dict[str, Tensor]:
        """The maps of the student's images [N, 3, H, W], float32, by tap name.

        Args:
            inputs: Only their size is used.
            taps: The taps of this step; reading costs the same for all.
            data_samples: With the records of ``WithTeacherCache``; None for a trial, which gets 0.

        Raises:
            ValueError: The samples come from a data set without this cache.
        """
        crop_size = tuple(inputs.shape[2:])
        if data_samples is None:
            return {
                tap: inputs.new_zeros(
                    len(inputs), self.cache.taps[tap].channels, *cells(crop_size, stride)
                )
                for tap, stride in self.strides.items()
            }
        records = self.whole_images(data_samples)
        others = {record.cache for record in records} - {None, self.cache.folder}
        for other in others:
            raise ValueError(
                f'The samples come from the teacher cache {other}, the teacher has '
                f'{self.cache.folder}: name the same folder as `cache` of both.'
            )
        return self.crop([record.maps for record in records], records, crop_size, self.strides)


def made_from(
    teacher: Mapping, view: Mapping | None, stride: int, taps: Iterable[str]
) -> dict[str, Any]:
    """What determines a teacher's maps of an image: weights, options, taps, view; as JSON.

    Arguments are those of :class:`CachedTeacher`, and the taps.

    Raises:
        TypeError: The teacher or the view has no such option.
        ValueError: An ensemble drops its members.
        WeightsError: The weights cannot be read.
    """
    members = members_of(teacher)
    if members is not None:
        each = {name: _identity(member) for name, member in members.items()}
        identity = {key: {name: each[name][key] for name in each} for key in ('weights', 'teacher')}
    else:
        identity = _identity(teacher)
    return as_json(
        {
            'format': VERSION,
            **identity,
            'taps': sorted(taps),
            'view': asdict(View(**view or {})),
            'stride': stride,
        }
    )


def _identity(teacher: Mapping) -> dict[str, Any]:
    """The digest of a teacher's weights, and its options that change its maps."""
    options = teacher_options(teacher)
    state = read_state_dict(options['checkpoint'], options['trusted'])
    plain = {key for key, value in LATER.items() if options[key] == value}
    return {
        'weights': digest(state),
        'teacher': {k: v for k, v in options.items() if k not in {*WITHOUT_EFFECT, *plain}},
    }
