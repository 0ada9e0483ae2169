"""A term of distillation: a student tap, a teacher tap, an adapter between them, a loss."""

import torch
from mmseg.registry import MODELS
from torch import Tensor, nn

from segkd_mm.distill.adapters import build_adapter, to_common_size


class Term(nn.Module):
    """One named comparison of the student with its teacher.

    Args:
        name: The term's key in the config, for messages.
        student: Name of the student's tap.
        teacher: Name of the teacher's tap.
        loss: Config of a distillation loss; ``channels='auto'`` in it becomes the teacher's.
        trial: What the two taps put out in a trial forward.
        adapter: See :func:`segkd_mm.distill.adapters.build_adapter`.

    Raises:
        ValueError: A tap is no feature map, or the adapted student's channels are not the
            teacher's.
    """

    def __init__(
        self,
        name: str,
        student: str,
        teacher: str,
        loss: dict,
        trial: tuple[Tensor, Tensor],
        adapter: str | dict | None = None,
    ) -> None:
        super().__init__()
        self.student = student
        self.teacher = teacher
        for tap, output in zip((student, teacher), trial, strict=True):
            if output.ndim != 4:
                raise ValueError(
                    f'Term {name!r}: tap {tap!r} puts out a tensor of shape '
                    f'{tuple(output.shape)}, expected a feature map [N, C, H, W].'
                )
        self.adapter = build_adapter(adapter, trial[0].shape[1], trial[1].shape[1])
        if loss.get('channels') == 'auto':
            loss = {**loss, 'channels': trial[1].shape[1]}
        self.loss = MODELS.build(loss)
        self._check_channels(name, *trial)

    @torch.no_grad()
    def _check_channels(self, name: str, student: Tensor, teacher: Tensor) -> None:
        adapted = self.adapter.eval()(student).shape[1]
        self.adapter.train()
        if self.loss.same_channels and adapted != teacher.shape[1]:
            raise ValueError(
                f'Term {name!r}: student tap {self.student!r} gives {adapted} channels, teacher '
                f'tap {self.teacher!r} {teacher.shape[1]}. For features write '
                "adapter='auto'; for logits give both models the same classes."
            )

    @property
    def is_on(self) -> bool:
        """Whether the term has a weight, and so needs the teacher."""
        return self.loss.loss_weight != 0

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor | None) -> Tensor:
        """The weighted loss of the tapped tensors, a scalar.

        Args:
            student: Output of the student's tap, [N, C, h, w].
            teacher: Output of the teacher's tap, [N, C', H, W].
            labels: Class ids, [N, H, W], or None.
        """
        return self.loss(*to_common_size(self.adapter(student), teacher), labels)

    def zero(self, student: Tensor) -> Tensor:
        """The loss of a term without weight: 0, with its parameters in the graph for DDP's sake."""
        return sum((p.sum() * 0 for p in self.parameters()), student.new_zeros(()))
