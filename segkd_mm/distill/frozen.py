"""Base of frozen modules: eval mode, shared by copies of the model around them."""

from torch import nn


class FrozenModule(nn.Module):
    """A module that stays in eval mode and is shared by copies of the model around it.

    Attributes:
        needs: What training samples must have for it beyond the images: a field of
            :class:`segkd_mm.whole_image.samples.WholeImage`, or None.
    """

    needs: str | None = None

    def train(self, mode: bool = True) -> 'FrozenModule':
        """Stay in eval mode, dropout and stochastic depth as well as batch norm."""
        return super().train(False)

    def __deepcopy__(self, memo: dict) -> 'FrozenModule':
        # A copy of the model around it, such as the moving average of EMAHook, shares the teacher.
        return self
