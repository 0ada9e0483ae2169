"""Taps: the outputs of named submodules of a running model."""

from collections.abc import Iterable
from difflib import get_close_matches

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


class TapError(RuntimeError):
    """A tap that does not exist, did not fire, or whose tensor was overwritten."""


class Taps:
    """Records the outputs of named submodules in the forwards inside a ``with`` block.

    The hooks are on the model only inside the block, so that validation, copies of the model and
    saved models know nothing of them.

    Args:
        model: The model to tap; its forward stays as it is.
        names: Dotted names of submodules, as in ``model.named_modules()``; or one of them.

    Raises:
        TapError: A name is not a submodule; close matches are shown.

    Examples:
        >>> with Taps(model, ['backbone.low', 'backbone.high']) as taps:
        ...     logits = model(images)
        >>> features = taps.pop()  # {'backbone.low': ..., 'backbone.high': ...}
    """

    def __init__(self, model: nn.Module, names: Iterable[str] | str) -> None:
        names = [names] if isinstance(names, str) else names
        self._modules = {name: _submodule(model, name) for name in names}
        self._kept: dict[str, tuple[Tensor, int]] = {}
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> 'Taps':
        self._handles = [self._hook(name, module) for name, module in self._modules.items()]
        return self

    def __exit__(self, *_exception: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _hook(self, name: str, module: nn.Module) -> RemovableHandle:
        def keep(_module: nn.Module, _inputs: tuple, output: Tensor) -> None:
            if not isinstance(output, Tensor):
                raise TapError(
                    f'Tap {name!r} puts out a {type(output).__name__}, expected a tensor: tap a '
                    'submodule of it.'
                )
            self._kept[name] = (output, _version(output))

        return module.register_forward_hook(keep)

    def pop(self) -> dict[str, Tensor]:
        """The outputs of the last forward by name; they are then released.

        Raises:
            TapError: A tap did not fire since the last pop, or its tensor was changed in place
                by a later layer, so that what is kept is not what the tap put out.
        """
        kept, self._kept = self._kept, {}
        for name in self._modules:
            if name not in kept:
                raise TapError(f'Tap {name!r} put nothing out: {_reason(name)}')
            output, version = kept[name]
            if _version(output) != version:
                raise TapError(
                    f'The output of tap {name!r} was overwritten in place by a later layer, '
                    'often an activation. Tap the whole block or the activation instead.'
                )
        return {name: output for name, (output, _) in kept.items()}


def _reason(name: str) -> str:
    if name.startswith('auxiliary_head'):
        return (
            'auxiliary heads run only in the loss of the labels. Tap the feature that the head '
            'takes, such as backbone.layer3.'
        )
    return (
        'the forward does not call that module. A decode head is never called itself; tap '
        'decode_head.conv_seg or a block.'
    )


def _version(x: Tensor) -> int:
    return 0 if x.is_inference() else x._version


def _submodule(model: nn.Module, name: str) -> nn.Module:
    modules = dict(model.named_modules())
    if name in modules:
        return modules[name]
    close = ' or '.join(map(repr, get_close_matches(name, filter(None, modules), 3, 0.5)))
    hint = f' (did you mean {close}?)' if close else ''
    parent = name.rpartition('.')[0]
    while parent not in modules:
        parent = parent.rpartition('.')[0]
    children = [child for child, _ in modules[parent].named_children()]
    raise TapError(
        f'{type(model).__name__} has no submodule {name!r}{hint}. '
        f'{parent or type(model).__name__} has: {", ".join(children)}.'
    )
