"""The model of a distillation: a student trained by labels and by terms against a teacher."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList, SampleList
from torch import Tensor, nn

from segkd_mm.build_hints import BuildError, build_hints
from segkd_mm.distill.mixture import tap_weights
from segkd_mm.distill.taps import TapError, Taps
from segkd_mm.distill.term import Term, check_options
from segkd_mm.labels import UNLABELLED, VOID
from segkd_mm.normalisation import channels_of
from segkd_mm.weights import leave_out_of_keys


@MODELS.register_module()
class SegDistiller(BaseModel):
    """A student segmentor, a teacher, and named terms which compare them during training.

    Prediction, the plain forward and the checkpoint are those of the student; the checkpoint also
    holds ``terms.*`` for the adapters. The teacher is no submodule, so that no checkpoint,
    optimizer, moving average or DDP bucket holds it.

    Args:
        student: Config of any mmseg segmentor.
        teacher: Config of a :class:`segkd_mm.distill.teacher.Teacher`, of a
            :class:`segkd_mm.distill.ensemble.TeacherEnsemble`, or of a teacher of whole images:
            :class:`segkd_mm.whole_image.WholeImageTeacher` or
            :class:`segkd_mm.whole_image.CachedTeacher`.
        terms: By name, the config of each :class:`segkd_mm.distill.term.Term`: ``student`` and
            ``teacher`` (names of taps), ``loss``, where channels differ ``adapter``, and more.
            Without terms the plain student is trained, with a warning in the log.
        train_cfg: Always None; mmseg's ``init_model`` passes it.
        pretrained: Likewise.
        data_preprocessor: Of a student that has none; mmengine's runner passes that of the config.
        init_cfg: Of mmengine's BaseModule.

    Raises:
        BuildError: An unknown type or keyword, or a term without ``student``, ``teacher`` or
            ``loss``.
        TapError: A tap does not exist.
        ValueError: The channels of two taps do not fit, or a head has another void than 255.
        WeightsError: The teacher's weights cannot be had or do not fit.
    """

    def __init__(
        self,
        student: dict,
        teacher: dict,
        terms: dict[str, dict] | None = None,
        train_cfg: None = None,
        pretrained: None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        terms = _checked_terms(terms or {})
        if data_preprocessor is not None:
            student = {'data_preprocessor': data_preprocessor, **student}
        with build_hints('student'):
            self.student = MODELS.build(student)
        if terms:
            _check_void(self.student)
        self.data_preprocessor = self.student.data_preprocessor
        # A student beside a teacher starts from the same random numbers as one alone.
        with torch.random.fork_rng(devices=[]):
            # Set past nn.Module, which would register the teacher as a submodule.
            with build_hints('teacher'):
                object.__setattr__(self, 'teacher', MODELS.build(teacher))
            self._taps = Taps(self.student, {term['student'] for term in terms.values()})
            teacher_taps = {tap for t in terms.values() for tap in tap_weights(t['teacher'])}
            self.teacher.prepare(teacher_taps, self.data_preprocessor)
            self.terms = self._build_terms(terms)
        leave_out_of_keys(self, 'student', beside=['terms.'])

    def _build_terms(self, terms: dict[str, dict]) -> nn.ModuleDict:
        training = self.student.training
        image, logits, student = self._trial()
        self.student.train(training)
        teacher = self.teacher(image)
        return nn.ModuleDict(
            {
                name: Term(
                    name,
                    **term,
                    trial=(student[term['student']], teacher),
                    is_logits=student[term['student']] is logits,
                )
                for name, term in terms.items()
            }
        )

    def _trial(self) -> tuple[Tensor, Any, dict[str, Tensor]]:
        """An image that the student takes, and its output and tapped outputs there."""
        size = getattr(self.data_preprocessor, 'size', None)
        channels = channels_of(self.student)
        small = torch.zeros(1, channels, 64, 64)
        try:
            return small, *self._tapped(small)
        except (AssertionError, RuntimeError, ValueError) as error:
            # Some students take no image as small as this, or only those of one size.
            if size is None or isinstance(error, TapError):
                raise
        crop = torch.zeros(1, channels, *size)
        return crop, *self._tapped(crop)

    @torch.no_grad()
    def _tapped(self, image: Tensor) -> tuple[Any, dict[str, Tensor]]:
        with self._taps:
            output = self.student.eval()(image, mode='tensor')
        return output, self._taps.pop()

    def loss(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        """The student's own losses, and ``terms.<name>.loss`` of every term.

        Args:
            inputs: Images as the student's preprocessor makes them, [N, C, H, W].
            data_samples: With the labels in ``gt_sem_seg``. Pixels of images without labels are
                marked ``UNLABELLED``: they count for the terms, and are void for the student.
        """
        labels = torch.cat([sample.gt_sem_seg.data for sample in data_samples])
        for sample in data_samples:
            sample.gt_sem_seg.data.masked_fill_(sample.gt_sem_seg.data == UNLABELLED, VOID)
        with self._taps:
            losses = self.student.loss(inputs, data_samples)
        student, teacher = self._taps.pop(), self._teacher_outputs(inputs, data_samples)
        for name, term in self.terms.items():
            losses[f'terms.{name}.loss'] = term(student[term.student], teacher, labels)
        return losses

    def _teacher_outputs(self, inputs: Tensor, data_samples: SampleList) -> dict[str, Tensor]:
        taps = {t for term in self.terms.values() if term.is_on for t in term.mixture.weights}
        return self.teacher(inputs, taps, data_samples) if taps else {}

    def forward(
        self, inputs: Tensor, data_samples: OptSampleList = None, mode: str = 'tensor'
    ) -> Any:
        """As an mmseg segmentor; all modes but ``loss`` are the student's."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        return self.student(inputs, data_samples, mode)

    @property
    def out_channels(self) -> int:
        """Channels of the student's logits, for mmseg's test-time augmentation."""
        return self.student.out_channels

    @property
    def decode_head(self) -> nn.Module:
        """The student's head, likewise."""
        return self.student.decode_head

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> 'SegDistiller':
        # Moves the teacher between devices too, which is not among the submodules.
        self.teacher._apply(fn, recurse)
        return super()._apply(fn, recurse)


def _check_void(student: nn.Module) -> None:
    for name, head in student.named_modules():
        void = getattr(head, 'ignore_index', VOID) if isinstance(head, BaseDecodeHead) else VOID
        if void != VOID:
            raise ValueError(
                f'student: {name}.ignore_index is {void}, expected {VOID}: terms take {VOID} for '
                f'void, and {UNLABELLED} for images without labels. Write {VOID} for void into '
                'the masks, or map it there by a transform.'
            )


def _checked_terms(terms: dict[str, dict]) -> dict[str, dict]:
    if not isinstance(terms, Mapping):
        raise BuildError(f'terms: found {terms!r:.200}, expected a dict of terms by name.')
    for name, term in terms.items():
        if not isinstance(term, Mapping):
            raise BuildError(
                f'Term {name!r}: found {term!r:.200}, expected dict(student=TAP, teacher=TAP, '
                'loss=dict(type=...)).'
            )
        check_options(name, term)
    if not terms:
        MMLogger.get_current_instance().warning(
            'SegDistiller has no terms: it trains the plain student, without distillation.'
        )
    return terms
