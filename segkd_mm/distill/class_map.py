"""Class map: student and teacher class lists, matched by name into shared groups."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import log

import torch
import torch.nn.functional as F
from mmseg.registry import DATASETS
from mmseg.utils import get_classes
from mmseg.utils.class_names import dataset_aliases
from torch import Tensor, nn

from segkd_mm.hints import did_you_mean
from segkd_mm.labels import UNLABELLED, VOID

ALL_OTHERS = '*'
Names = str | Sequence[str]
Group = tuple[tuple[int, ...], tuple[int, ...]]


class ClassMap(nn.Module):
    """Converts logits over two class lists into logits over the groups of classes they share.

    A group is the classes of the student and those of the teacher that are the same thing. Its
    probability is the sum of theirs, so that its logit is their logsumexp. Classes in no group are
    left out, and the distributions are those among the rest. Names are compared without regard to
    case.

    Args:
        student: The student's classes in the order of its ids, or the name of a data set: one of
            ``mmseg.registry.DATASETS``, or of ``mmseg.utils.get_classes``.
        teacher: The teacher's classes, likewise.
        mapping: Student class to the teacher's class or classes that together are it; an empty list
            where the teacher does not know it. A class that is not here maps to that of its name.
            Student classes that name the same teacher classes form one group.
        drop: Teacher's classes that are none of the student's; '*' for all that are in no group.
            Where it gives them more than half of its probability, nothing counts.

    Attributes:
        student_classes: The student's classes in the order of its ids.
        student_channels: Number of the student's classes.
        teacher_channels: Number of the teacher's classes.
        groups: For each group the student's and the teacher's ids.

    Raises:
        ValueError: A class of either side is left over, in two groups or unknown, or fewer than two
            groups are shared; lists all that is wrong.
    """

    def __init__(
        self,
        student: Names,
        teacher: Names,
        mapping: Mapping[str, Names] | None = None,
        drop: Names = (),
    ) -> None:
        super().__init__()
        student, teacher = class_names(student), class_names(teacher)
        self.student_classes = student
        self.student_channels, self.teacher_channels = len(student), len(teacher)
        self.groups = match_classes(student, teacher, mapping or {}, drop)
        self.drops = bool(drop)
        students, teachers = zip(*self.groups, strict=True)
        self._student_sizes = [*map(len, students)]
        self._teacher_sizes = [*map(len, teachers)]
        group_of = torch.arange(256)
        group_of[: len(student)] = VOID
        for group, members in enumerate(students):
            group_of[list(members)] = group
        # Not persistent: the config gives it at each start.
        for name, values in (
            ('_student_order', torch.tensor([*chain(*students)])),
            ('_teacher_order', torch.tensor([*chain(*teachers)])),
            ('_group_of', group_of),
        ):
            self.register_buffer(name, values, persistent=False)

    def forward(
        self, student: Tensor, teacher: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Logits and labels of the groups.

        Args:
            student: The student's logits, [N, S, h, w].
            teacher: The teacher's logits, [N, T, H, W].
            labels: The student's class ids, [N, H0, W0] of int64, or None.

        Returns:
            [N, G, h, w] and [N, G, H, W], in float32 where classes are merged; and labels with the
            groups' ids: ``VOID`` for classes in no group and where the teacher sees dropped ones,
            other ids that are no class as they are. Without labels None, or if classes are dropped
            ``UNLABELLED`` where the teacher's map counts.
        """
        merged = _merge(teacher, self._teacher_order, self._teacher_sizes)
        labels = None if labels is None else self._group_of[labels]
        if self.drops:
            labels = _mask_dropped(labels, merged, teacher)
        return _merge(student, self._student_order, self._student_sizes), merged, labels


def _merge(logits: Tensor, order: Tensor, sizes: list[int]) -> Tensor:
    members = logits.index_select(1, order)
    if max(sizes) == 1:
        return members
    return torch.stack([part.logsumexp(1) for part in members.float().split(sizes, 1)], 1)


def _mask_dropped(labels: Tensor | None, merged: Tensor, teacher: Tensor) -> Tensor:
    """Labels with void where the shared classes have less than half of the teacher's probability.

    Its logits of the shared classes are noise there.
    """
    share = merged.float().logsumexp(1) - teacher.float().logsumexp(1)
    foreign = share < log(0.5)
    if labels is None:
        labels = torch.full_like(foreign, UNLABELLED, dtype=torch.int64)
    foreign = F.interpolate(foreign[:, None].float(), labels.shape[1:], mode='nearest-exact')
    return labels.masked_fill(foreign[:, 0].bool(), VOID)


def class_names(given: Names) -> list[str]:
    """A list of classes as it is, or that of a data set by name.

    Raises:
        ValueError: No such data set; close matches are shown.
    """
    if not isinstance(given, str):
        return list(given)
    classes = getattr(DATASETS.get(given), 'METAINFO', {}).get('classes')
    aliases = [*chain(*dataset_aliases.values())]
    if not classes and given not in aliases:
        hint = did_you_mean(given, [*aliases, *DATASETS.module_dict])
        raise ValueError(
            f'Class map: no data set {given!r}{hint} to take the classes from. '
            'Name one that mmseg knows, or list the classes.'
        )
    return list(classes or get_classes(given))


def match_classes(
    student: Sequence[str],
    teacher: Sequence[str],
    mapping: Mapping[str, Names],
    drop: Names,
) -> list[Group]:
    """The groups of ids of the same class, in the order of the student's classes.

    Arguments and errors are those of :class:`ClassMap`.
    """
    mapping = {name: _listed(targets) for name, targets in mapping.items()}
    targets = _targets(student, teacher, mapping)
    used = set(chain(*targets))
    others = [name for number, name in enumerate(teacher) if number not in used]
    drop = others if drop == ALL_OTHERS else _listed(drop)
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, target in enumerate(targets):
        if target:
            groups.setdefault(target, []).append(number)
    problems = _problems(student, teacher, mapping, drop, targets)
    if not problems and len(groups) < 2:
        problems = ['Fewer than two groups of classes are shared, so there is nothing to compare.']
    if problems:
        raise ValueError(
            f'Class map of {len(student)} student and {len(teacher)} teacher classes:\n'
            + '\n'.join(f'  {problem}' for problem in problems)
        )
    return [(tuple(ours), theirs) for theirs, ours in groups.items()]


def _targets(
    student: Sequence[str], teacher: Sequence[str], mapping: Mapping[str, Sequence[str]]
) -> list[tuple[int, ...]]:
    """The teacher's ids of each student class; unknown names are left to :func:`_problems`."""
    ids = {_key(name): number for number, name in enumerate(teacher)}
    wanted = {_key(name): targets for name, targets in mapping.items()}
    return [
        tuple(sorted({ids[_key(t)] for t in wanted.get(_key(name), [name]) if _key(t) in ids}))
        for name in student
    ]


def _problems(
    student: Sequence[str],
    teacher: Sequence[str],
    mapping: Mapping[str, Sequence[str]],
    drop: Sequence[str],
    targets: Sequence[tuple[int, ...]],
) -> list[str]:
    """A line for each kind of thing that is wrong."""
    mapped, dropped = set(map(_key, mapping)), set(map(_key, drop))
    uses = Counter(chain(*set(targets)))
    found = {
        'Student classes listed twice': _twice(student),
        'Teacher classes listed twice': _twice(teacher),
        'In mapping, but no class of the student': _unknown(mapping, student),
        'In mapping, but no class of the teacher': _unknown(chain(*mapping.values()), teacher),
        'In drop, but no class of the teacher': _unknown(drop, teacher),
        'Student classes that the teacher has not by name (name its classes in mapping, or [] if '
        'it does not know them)': _unknown((s for s in student if _key(s) not in mapped), teacher),
        'Teacher classes that no student class uses (add them to mapping, or to drop)': [
            repr(name) for t, name in enumerate(teacher)
            if t not in uses and _key(name) not in dropped
        ],
        'Teacher classes both used and dropped': [
            repr(name) for t, name in enumerate(teacher) if t in uses and _key(name) in dropped
        ],
        'Teacher classes in two groups (student classes that share one must name the same set)': [
            f'{teacher[t]!r} of {[s for s, its in zip(student, targets, strict=True) if t in its]}'
            for t, groups in sorted(uses.items()) if groups > 1
        ],
    }  # fmt: skip
    return [f'{what}: {", ".join(names)}.' for what, names in found.items() if names]


def _listed(names: Names) -> Sequence[str]:
    return [names] if isinstance(names, str) else names


def _key(name: str) -> str:
    # mmseg has names that end in a space.
    return name.strip().casefold()


def _twice(names: Sequence[str]) -> list[str]:
    return [repr(name) for name, number in Counter(map(_key, names)).items() if number > 1]


def _unknown(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Those which are not known, each with the names close to it."""
    keys = set(map(_key, known))
    return [repr(name) + did_you_mean(name, known) for name in names if _key(name) not in keys]
