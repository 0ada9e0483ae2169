"""A term of distillation: a student tap, a teacher tap, an adapter between them, a loss."""

from collections.abc import Sequence

import numpy as np
import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.distill.adapters import build_adapter, to_common_size
from segkd_mm.distill.class_map import ClassMap
from segkd_mm.distill.mixture import Mixture


class Term(nn.Module):
    """One named comparison of the student with its teacher.

    Args:
        name: The term's key in the config, for messages.
        student: Name of the student's tap.
        teacher: Name of the teacher's tap; or by name the weights of several taps of logits, whose
            probabilities are averaged.
        loss: Config of a distillation loss; ``channels='auto'`` in it becomes the teacher's.
        trial: What the student's tap and all of the teacher's put out in a trial forward.
        adapter: See :func:`segkd_mm.distill.adapters.build_adapter`.
        classes: For logits of other classes than the student's, the arguments of a
            :class:`segkd_mm.distill.class_map.ClassMap`.
        schedule: Points (part of the training that is done, factor of the loss's weight) in rising
            order, with straight lines between them and the first and last factors beyond: a warm-up
            is ``[(0, 0), (0.1, 1)]``, a stop ``[(0.5, 1), (0.5, 0)]``. Set by
            :class:`segkd_mm.hooks.TermScheduleHook`.

    Raises:
        ValueError: A tap is no feature map, the adapted student's channels are not the teacher's,
            or the schedule is no such list.
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
    ) -> None:
        super().__init__()
        self.name = name
        self.student = student
        self.mixture = Mixture(name, {teacher: 1.0} if isinstance(teacher, str) else teacher)
        self.classes = ClassMap(**classes) if classes else None
        self.schedule = _checked(name, schedule)
        self.factor = None if schedule else 1.0
        _check_is_map(name, student, trial[0])
        for tap in self.mixture.weights:
            _check_is_map(name, tap, trial[1][tap])
        self._build(trial[0], self.mixture.target(trial[1]), adapter, loss)

    @torch.no_grad()
    def _build(
        self, student: Tensor, teacher: Tensor, adapter: str | dict | None, loss: dict
    ) -> None:
        if self.classes:
            self._check_classes(student, teacher)
            student, teacher, _ = self.classes(student, teacher, None)
        channels = teacher.shape[1]
        self.adapter = build_adapter(adapter, student.shape[1], channels)
        if loss.get('channels') == 'auto':
            loss = {**loss, 'channels': channels}
        self.loss = MODELS.build(loss)
        adapted = self.adapter.eval()(student).shape[1]
        self.adapter.train()
        if self.loss.same_channels and adapted != channels:
            raise ValueError(
                f'Term {self.name!r}: student tap {self.student!r} gives {adapted} channels, '
                f"teacher {self.mixture} {channels}. For features write adapter='auto'; for "
                'logits of other classes say how they map: classes=dict(student=..., teacher=...).'
            )

    def _check_classes(self, student: Tensor, teacher: Tensor) -> None:
        for who, tensor, named in (
            ('student', student, self.classes.student_channels),
            ('teacher', teacher, self.classes.teacher_channels),
        ):
            if tensor.shape[1] != named:
                raise ValueError(
                    f'Term {self.name!r}: classes names {named} of the {who}, whose tap gives '
                    f'{tensor.shape[1]} channels.'
                )

    def set_progress(self, progress: float) -> None:
        """Take the schedule's factor at a part of the training, in [0, 1]."""
        if self.schedule:
            # Of two factors at one place the later one holds, which np.interp does not promise.
            here = [factor for place, factor in self.schedule if place == progress]
            places, factors = zip(*self.schedule, strict=True)
            self.factor = here[-1] if here else float(np.interp(progress, places, factors))

    @property
    def weight(self) -> float:
        """The loss's weight as it is now.

        Raises:
            RuntimeError: The term has a schedule, and nothing has said how far the training is.
        """
        if self.factor is None:
            raise RuntimeError(
                f'Term {self.name!r} has a schedule, which is driven by TermScheduleHook: add '
                "dict(type='TermScheduleHook') to custom_hooks, as configs/_base_/runtime.py does."
            )
        return self.loss.loss_weight * self.factor

    @property
    def is_on(self) -> bool:
        """Whether the term has a weight now, and so needs the teacher."""
        return self.weight != 0

    def forward(self, student: Tensor, teacher: dict[str, Tensor], labels: Tensor | None) -> Tensor:
        """The weighted loss of the tapped tensors, a scalar; 0 of a term without weight or teacher.

        Args:
            student: Output of the student's tap, [N, C, h, w].
            teacher: Outputs of the teacher's taps by name, [N, C', H, W] each; those that are not
                there, as of a teacher that was dropped, are left out.
            labels: Class ids, [N, H, W], or None.
        """
        if not self.is_on or not self.mixture.is_in(teacher):
            return self._zero(student)
        target = self.mixture.target(teacher)
        if self.classes:
            student, target, labels = self.classes(student, target, labels)
        return self.factor * self.loss(*to_common_size(self.adapter(student), target), labels)

    def _zero(self, student: Tensor) -> Tensor:
        """0, with the term's parameters in the graph for DDP's sake."""
        return sum((p.sum() * 0 for p in self.parameters()), student.new_zeros(()))


def _check_is_map(name: str, tap: str, output: Tensor) -> None:
    if output.ndim != 4:
        raise ValueError(
            f'Term {name!r}: tap {tap!r} puts out a tensor of shape {tuple(output.shape)}, '
            'expected a feature map [N, C, H, W].'
        )


def _checked(
    name: str, schedule: Sequence[tuple[float, float]] | None
) -> list[tuple[float, float]] | None:
    if schedule is None:
        return None
    points = [tuple(point) for point in schedule]
    places = [point[0] for point in points]
    if (
        not points
        or any(len(point) != 2 for point in points)
        or places != sorted(places)
        or not 0 <= places[0] <= places[-1] <= 1
    ):
        raise ValueError(
            f'Term {name!r}: schedule is {schedule!r}, expected points (part of the training from '
            '0 to 1, factor) in rising order, such as [(0, 0), (0.1, 1)].'
        )
    return points
