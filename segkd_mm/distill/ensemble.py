"""An ensemble of teachers, whose taps are <member>.<tap>."""

from collections.abc import Collection, Iterable, Mapping

import torch
from mmseg.registry import MODELS
from mmseg.utils import OptSampleList
from torch import Tensor, nn

from segkd_mm.distill.frozen import FrozenModule
from segkd_mm.distill.taps import TapError
from segkd_mm.hints import did_you_mean


@MODELS.register_module()
class TeacherEnsemble(FrozenModule):
    """Several :class:`segkd_mm.distill.teacher.Teacher`, whose taps are ``<member>.<tap>``.

    A term learns from one of them, or from the weighted mean of the probabilities of several, with
    ``teacher={'big.logits': 0.7, 'small.logits': 0.3}``. A teacher that no term needs is not run.

    Args:
        members: By name, the config of each teacher.
        drop: Probability with which each is left out of a training step, drawn from torch's
            generator; at least one stays of those that are needed.

    Raises:
        ValueError: No members, a dot in a name, or ``drop`` is not in [0, 1).
    """

    def __init__(self, members: dict[str, dict], drop: float = 0.0) -> None:
        super().__init__()
        if not members or any('.' in name for name in members):
            raise ValueError(f'members are {list(members)}, expected names without dots.')
        if not 0 <= drop < 1:
            raise ValueError(f'drop is {drop}, expected a probability in [0, 1).')
        self.members = nn.ModuleDict({name: MODELS.build(c) for name, c in members.items()})
        self.drop = drop
        self._needed: list[str] = []
        self.eval()

    def prepare(self, taps: Iterable[str], inputs_from: nn.Module) -> None:
        """As :meth:`segkd_mm.distill.teacher.Teacher.prepare`, for taps ``<member>.<tap>``.

        Raises:
            TapError: A member or a tap does not exist.
        """
        wanted = {name: set() for name in self.members}
        for tap in taps:
            name, _, inner = tap.partition('.')
            if name not in wanted:
                raise TapError(self._no_member(tap, name))
            wanted[name].add(inner)
        self._needed = [name for name in self.members if wanted[name]]
        for name, member in self.members.items():
            member.prepare(wanted[name], inputs_from)

    def check_bands(self, inputs_from: nn.Module) -> None:
        """As :meth:`segkd_mm.distill.teacher.Teacher.check_bands`, of all members."""
        for member in self.members.values():
            member.check_bands(inputs_from)

    def logit_taps(self) -> set[str]:
        """As :meth:`segkd_mm.distill.teacher.Teacher.logit_taps`, of all members."""
        return {f'{name}.{tap}' for name in self.members for tap in self.members[name].logit_taps()}

    def _no_member(self, tap: str, name: str) -> str:
        return (
            f'Tap {tap!r}: there is no teacher {name!r}{did_you_mean(name, self.members)} among '
            f'{", ".join(self.members)}. Taps of several teachers are <member>.<tap>.'
        )

    def forward(
        self,
        inputs: Tensor,
        taps: Collection[str] | None = None,
        data_samples: OptSampleList = None,
    ) -> dict[str, Tensor]:
        """The tapped tensors of the student's images [N, 3, H, W], by tap name.

        Args:
            inputs: As the student's preprocessor makes them.
            taps: The taps of a training step, of which teachers may be dropped; None for all.
            data_samples: Of the images, for members that see whole images.
        """
        names = self._needed
        if taps is not None:
            names = self._drawn([n for n in names if any(t.startswith(f'{n}.') for t in taps)])
        return {
            f'{name}.{tap}': output
            for name in names
            for tap, output in self.members[name](inputs, None, data_samples).items()
        }

    def _drawn(self, names: list[str]) -> list[str]:
        if not self.drop or len(names) < 2:
            return names
        scores = torch.rand(len(names)).tolist()
        stay = [name for name, score in zip(names, scores, strict=True) if score >= self.drop]
        return stay or [names[scores.index(max(scores))]]


def members_of(teacher: Mapping) -> dict[str, dict] | None:
    """The configs of the members of a teacher that sees whole images; None if it has none.

    Raises:
        ValueError: Members are to be left out of steps, but they give maps to all.
    """
    if teacher.get('type') != TeacherEnsemble.__name__:
        return None
    if teacher.get('drop'):
        raise ValueError(
            f'The ensemble has drop={teacher["drop"]}, expected none: teachers of whole images, '
            'cached or not, take part in every step.'
        )
    return teacher['members']
