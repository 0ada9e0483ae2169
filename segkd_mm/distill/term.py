"""A distillation term: a student tap, a teacher tap, an optional adapter and a loss."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.build_hints import BuildError, build_hints, check_keywords, keywords_of
from segkd_mm.distill.adapters import build_adapter, to_common_size
from segkd_mm.distill.class_map import ClassMap
from segkd_mm.distill.mixture import Mixture, tap_weights
from segkd_mm.one_logit import two_class_logits


class Term(nn.Module):
    """One named comparison of the student with its teacher.

    Args:
        name: The term's key in the config, for messages.
        student: Name of the student's tap.
        teacher: Name of the teacher's tap; or the weights of several taps of logits, by name, whose
            probabilities are averaged.
        loss: Config of a distillation loss; ``channels='auto'`` in it becomes the teacher's.
        trial: Output of the student's tap and outputs of the teacher's taps in a trial forward.
        adapter: See :func:`segkd_mm.distill.adapters.build_adapter`.
        classes: For logits of other classes than the student's, the arguments of a
            :class:`segkd_mm.distill.class_map.ClassMap`.
        schedule: Points (completed part of the training, factor of the loss's weight) in rising
            order, interpolated linearly, with the first and last factors beyond: a warm-up is
            ``[(0, 0), (0.1, 1)]``, a stop ``[(0.5, 1), (0.5, 0)]``. Set by
            :class:`segkd_mm.hooks.TermScheduleHook`.
        is_logits: Whether the student's tap is its logits. One channel, of either side, is then
            one class against the background: :func:`segkd_mm.one_logit.two_class_logits`.

    Raises:
        BuildError: A loss, an adapter or ``classes`` has an unknown type or keyword.
        ValueError: A tap is no feature map, the adapted student's channels are not the teacher's
            or too few for the loss to have an effect, or the schedule is no such list.
    """

    def __init__(
        self,
        name: str,
        student: str,
        teacher: str | dict[str, float],
        loss: dict,
        trial: tuple[Tensor, dict[str, Tensor]],
        adapter: str | dict | None = None,
        classes: dict | None = None,
        schedule: Sequence[tuple[float, float]] | None = None,
        is_logits: bool = False,
    ) -> None:
        super().__init__()
        self.name = name
        self.student = student
        self.is_logits = is_logits
        self.mixture = Mixture(name, tap_weights(teacher))
        self.classes = _class_map(name, classes) if classes else None
        self.schedule = _checked_schedule(name, schedule)
        self.factor = None if schedule else 1.0
        _check_is_map(name, student, trial[0])
        for tap in self.mixture.weights:
            _check_is_map(name, tap, trial[1][tap])
        with build_hints(f'Term {name!r}'):
            self._build(trial[0], self.mixture.target(trial[1]), adapter, loss)

    @torch.no_grad()
    def _build(
        self, student: Tensor, teacher: Tensor, adapter: str | dict | None, loss: dict
    ) -> None:
        student, teacher = self._as_logits(student), self._as_logits(teacher)
        if self.classes:
            self._check_classes(student, teacher)
            student, teacher, _ = self.classes(student, teacher, None)
        channels = teacher.shape[1]
        self.adapter = build_adapter(adapter, student.shape[1], channels)
        if loss.get('channels') == 'auto':
            loss = {**loss, 'channels': channels}
        self.loss = MODELS.build(loss)
        if not hasattr(self.loss, 'same_channels'):  # such as a loss of mmseg
            raise BuildError(
                f'Term {self.name!r}: {type(self.loss).__name__} does not compare a student with a '
                'teacher; take a loss of docs/losses.md, or write a subclass of '
                'segkd_mm.losses.KDLoss (docs/extending.md).'
            )
        adapted = self.adapter.eval()(student).shape[1]
        self.adapter.train()
        if self.loss.same_channels and adapted != channels:
            raise ValueError(
                f'Term {self.name!r}: student tap {self.student!r} gives {adapted} channels, '
                f"teacher {self.mixture} {channels}. For features write adapter='auto'; for "
                'logits of other classes say how they map: classes=dict(student=..., teacher=...).'
            )
        self._check_has_effect(adapted)

    def _check_has_effect(self, channels: int) -> None:
        if channels < self.loss.min_classes:
            raise ValueError(
                f'Term {self.name!r}: {type(self.loss).__name__} needs logits of at least '
                f'{self.loss.min_classes} classes to have an effect, student tap {self.student!r} '
                f'gives {channels} channel{"s" * (channels > 1)}. A logit of one class against the '
                "background counts as two where it is the student's output, such as "
                "'decode_head.conv_seg'; else take another loss, for features one of features."
            )

    def _check_classes(self, student: Tensor, teacher: Tensor) -> None:
        for model, tensor, channels in (
            ('student', student, self.classes.student_channels),
            ('teacher', teacher, self.classes.teacher_channels),
        ):
            if tensor.shape[1] != channels:
                raise ValueError(
                    f'Term {self.name!r}: classes names {channels} of the {model}, whose tap gives '
                    f'{tensor.shape[1]} channels.'
                )

    def set_progress(self, progress: float) -> None:
        """Set the schedule's factor after a part of the training, in [0, 1]."""
        if self.schedule:
            # Of two factors at one point the later one counts, which np.interp does not promise.
            exact = [factor for point, factor in self.schedule if point == progress]
            points, factors = zip(*self.schedule, strict=True)
            self.factor = exact[-1] if exact else float(np.interp(progress, points, factors))

    @property
    def weight(self) -> float:
        """The current weight of the loss.

        Raises:
            RuntimeError: The term has a schedule, and ``set_progress`` was not called.
        """
        if self.factor is None:
            raise RuntimeError(
                f'Term {self.name!r} has a schedule, which is driven by TermScheduleHook: add '
                "dict(type='TermScheduleHook') to custom_hooks, as configs/_base_/runtime.py does."
            )
        return self.loss.loss_weight * self.factor

    @property
    def is_on(self) -> bool:
        """Whether the current weight is not 0, so that the teacher is needed."""
        return self.weight != 0

    def forward(self, student: Tensor, teacher: dict[str, Tensor], labels: Tensor | None) -> Tensor:
        """The weighted loss of the tapped tensors, a scalar; 0 without a weight or a teacher.

        Args:
            student: Output of the student's tap, [N, C, h, w].
            teacher: Outputs of the teacher's taps by name, [N, C', H, W] each; missing ones, such
                as those of a dropped teacher, are left out.
            labels: Class ids, [N, H, W], or None.
        """
        if not self.is_on or not self.mixture.is_available(teacher):
            return self._zero(student)
        return self.factor * self.loss(*self._compared(student, teacher, labels))

    @torch.no_grad()
    def agreement(self, student: Tensor, teacher: dict[str, Tensor]) -> float:
        """The share of pixels, 0 to 1, at which both find the same class; for terms on logits.

        It is taken at the size at which the term compares them, void pixels included.

        Args:
            student: Output of the student's tap, [N, C, h, w].
            teacher: Outputs of the teacher's taps by name, at least one of the term's.
        """
        student, target, _ = self._compared(student, teacher, None)
        return (student.argmax(1) == target.argmax(1)).float().mean().item()

    def _compared(
        self, student: Tensor, teacher: dict[str, Tensor], labels: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """What the loss takes: both in the same classes, channels and size, and the labels."""
        student, target = self._as_logits(student), self.target(teacher)
        if self.classes:
            student, target, labels = self.classes(student, target, labels)
        return *to_common_size(self.adapter(student), target), labels

    def target(self, teacher: dict[str, Tensor]) -> Tensor:
        """What the student is compared with, before ``classes``: [N, C', h, w].

        Args:
            teacher: Outputs of the teacher's taps by name, at least one of the term's.
        """
        return self._as_logits(self.mixture.target(teacher))

    def _as_logits(self, x: Tensor) -> Tensor:
        return two_class_logits(x) if self.is_logits else x

    def _zero(self, student: Tensor) -> Tensor:
        """0, with the term's parameters in the graph, which DDP needs."""
        return sum((p.sum() * 0 for p in self.parameters()), student.new_zeros(()))


def check_options(name: str, options: Iterable[str]) -> None:
    """Check the keywords in the config of a term.

    Raises:
        BuildError: A keyword does not exist, or one that a term needs is missing.
    """
    known = [key for key in keywords_of(Term) if key not in ('name', 'trial', 'is_logits')]
    check_keywords(f'Term {name!r}', options, known)
    if missing := [key for key in ('student', 'teacher', 'loss') if key not in options]:
        raise BuildError(
            f'Term {name!r} has no {" and no ".join(map(repr, missing))}, expected at least '
            "dict(student='<tap>', teacher='<tap>', loss=dict(type=...))."
        )


def _check_is_map(name: str, tap: str, output: Tensor) -> None:
    if output.ndim != 4:
        raise ValueError(
            f'Term {name!r}: tap {tap!r} puts out a tensor of shape {tuple(output.shape)}, '
            'expected a feature map [N, C, H, W].'
        )


def _class_map(name: str, classes: dict) -> ClassMap:
    check_keywords(f'Term {name!r} > classes', classes, keywords_of(ClassMap))
    return ClassMap(**classes)


def _checked_schedule(
    name: str, schedule: Sequence[tuple[float, float]] | None
) -> list[tuple[float, float]] | None:
    if schedule is None:
        return None
    points = [tuple(point) for point in schedule]
    parts = [point[0] for point in points]
    if (
        not points
        or any(len(point) != 2 for point in points)
        or parts != sorted(parts)
        or not 0 <= parts[0] <= parts[-1] <= 1
    ):
        raise ValueError(
            f'Term {name!r}: schedule is {schedule!r}, expected points (part of the training from '
            '0 to 1, factor) in rising order, such as [(0, 0), (0.1, 1)].'
        )
    return points
