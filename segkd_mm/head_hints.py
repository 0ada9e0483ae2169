"""Error messages for a head or neck whose ``in_channels`` do not fit the maps that it gets."""

from collections.abc import Iterator, Sequence
from traceback import walk_tb
from types import FrameType
from typing import Any

from torch import Tensor, nn


def explained_channels(error: Exception) -> str | None:
    """What does not fit, if that is the cause of an error in the forward or build of a model.

    The frames of the traceback tell which head got which maps: PyTorch names the shapes of a weight
    and of an input, and mmseg asserts without a word.
    """
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    last = frames[-1].f_locals
    if frames[-1].f_code.co_name == '_init_inputs' and {'in_channels', 'in_index'} <= {*last}:
        return _init_fault(frames[-1])
    for number, frame in enumerate(frames):
        maps = _maps_in(frame)
        part = maps and _first_part(frames[number:], frame.f_locals['self'])
        if part and (fault := _fault(*part, maps)):
            return fault
    return None


def _init_fault(frame: FrameType) -> str:
    """Of mmseg's heads, which assert it as they are built."""
    found = frame.f_locals
    return (
        f'{type(found["self"]).__name__} has in_channels={found["in_channels"]}, '
        f'in_index={found["in_index"]} and input_transform={found.get("input_transform")!r}: '
        'expected a whole number each for one input map, or lists of the same length for several '
        "(with input_transform='resize_concat' or 'multiple_select')."
    )


def _maps_in(frame: FrameType) -> list[Tensor] | None:
    """The maps of a backbone or neck that a segmentor holds in a frame of its methods."""
    if not isinstance(getattr(frame.f_locals.get('self'), 'backbone', None), nn.Module):
        return None
    values = (frame.f_locals.get(name) for name in ('x', 'inputs'))
    return next((list(maps) for maps in values if _are_maps(maps)), None)


def _are_maps(value: Any) -> bool:
    several = isinstance(value, list | tuple) and len(value) > 0
    return several and all(isinstance(one, Tensor) and one.ndim == 4 for one in value)


def _first_part(frames: Sequence[FrameType], model: nn.Module) -> tuple[str, nn.Module] | None:
    """Name and module of the head or neck that the frames entered first."""
    names = {id(module): name for name, module in model.named_modules() if name}
    for module in _selves(frames):
        if id(module) in names and hasattr(module, 'in_channels'):
            return names[id(module)], module
    return None


def _selves(frames: Sequence[FrameType]) -> Iterator[object]:
    return (frame.f_locals['self'] for frame in frames if 'self' in frame.f_locals)


def _fault(name: str, module: nn.Module, maps: Sequence[Tensor]) -> str | None:
    own, index = _as_list(module.in_channels), getattr(module, 'in_index', None)
    channels = [one.shape[1] for one in maps]
    chosen = [*range(len(maps))] if index is None else _as_list(index)
    if all(-len(maps) <= i < len(maps) for i in chosen):
        wanted = [channels[i] for i in chosen]
        # mmseg adds up those of maps that it joins.
        if own in (wanted, [sum(wanted)]):
            return None
        advice = f'in_channels={wanted[0] if len(wanted) == 1 else wanted}'
        advice += '' if index is None else ', or another in_index'
    else:
        advice = f'an in_index of 0 to {len(maps) - 1}'
    at = '' if index is None else f', in_index={index}'
    maps_in_words = ', '.join(f'{i}: {one} channels' for i, one in enumerate(channels))
    return (
        f'{name} ({type(module).__name__}) has in_channels={module.in_channels}{at}, but gets the '
        f'maps {maps_in_words}. Write {advice}.'
    )


def _as_list(value: Any) -> list:
    return [*value] if isinstance(value, list | tuple) else [value]
