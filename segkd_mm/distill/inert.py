"""What training never touches."""

from torch import nn


class Inert(nn.Module):
    """A module that stays in evaluation mode and is shared by copies of the model around it."""

    needs: str | None = None
    """What samples have to bring along for it, beyond the images."""

    def train(self, mode: bool = True) -> 'Inert':
        """Stay in evaluation mode, dropout and stochastic depth as well as batch norm."""
        return super().train(False)

    def __deepcopy__(self, memo: dict) -> 'Inert':
        # A copy of the model around it, such as the moving average of EMAHook, shares the teacher.
        return self
