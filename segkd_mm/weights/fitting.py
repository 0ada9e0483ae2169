"""Weights fitted to modules: strict loading, renamed keys, keys without a wrapper's prefix."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from segkd_mm.hints import did_you_mean
from segkd_mm.weights.error import WeightsError


def rename_keys(
    state: Mapping[str, Tensor], names: Mapping[str, str], source: str | Path
) -> dict[str, Tensor]:
    """Give the modules of a state dict other names.

    Args:
        state: The weights.
        names: Dotted module names, old to new; of several that fit a key the longest counts.
        source: Where the weights come from, for the message.

    Raises:
        WeightsError: A name fits no key, or two keys come to one name.
    """
    renamed, used = {}, set()
    for key, tensor in state.items():
        fits = [old for old in names if key == old or key.startswith(old + '.')]
        old = max(fits, key=len, default=None)
        used.add(old)
        renamed[key if old is None else names[old] + key[len(old) :]] = tensor
    if unused := [f'{old}{did_you_mean(old, state, 1, 0.8)}' for old in names if old not in used]:
        raise WeightsError(f'{source} has no key under {", ".join(unused)}.')
    if len(renamed) < len(state):
        raise WeightsError(f'{source}: two keys come to one name by {dict(names)}.')
    return renamed


def load_strictly(
    module: nn.Module, state: Mapping[str, Tensor], source: str | Path, ignore: Iterable[str] = ()
) -> None:
    """Load ``state`` into ``module``; every key and shape must fit, or nothing is loaded.

    A module whose files have other keys than itself says by a method ``to_own_keys(state, source)``
    how those become its own.

    Args:
        module: The module to fill.
        state: Its weights.
        source: Where they come from, for the message.
        ignore: Prefixes of keys which may be missing on either side.

    Raises:
        WeightsError: As of :func:`check_fit`.
    """
    ignore = tuple(ignore)
    state = {k: v for k, v in state.items() if not k.startswith(ignore)}
    if hasattr(module, 'to_own_keys') and state.keys() != module.state_dict().keys():
        state = module.to_own_keys(state, source)
    check_fit(module, state, source, ignore)
    module.load_state_dict(state, strict=not ignore)


def check_fit(
    module: nn.Module, state: Mapping[str, Tensor], source: str | Path, ignore: Iterable[str] = ()
) -> None:
    """Hold ``state`` against ``module``: the check of :func:`load_strictly`, without the loading.

    Raises:
        WeightsError: Lists what is missing, unexpected or of another shape, with close matches.
    """
    ignore = tuple(ignore)
    own = {k: v for k, v in module.state_dict().items() if not k.startswith(ignore)}
    state = {k: v for k, v in state.items() if not k.startswith(ignore)}
    shapes = {
        key: f'shape {tuple(state[key].shape)} in the file, {tuple(mine.shape)} in the model'
        for key, mine in own.items()
        if key in state and state[key].shape != mine.shape
    }
    faults = [
        *(('missing', key, state) for key in own if key not in state),
        *(('unexpected', key, own) for key in state if key not in own),
        *((what, key, ()) for key, what in shapes.items()),
    ]
    if faults:
        # Near names are only looked for where they are shown: nothing fits in a foreign file.
        shown = [
            f'{what}: {key}{did_you_mean(key, others, 1, 0.8)}' for what, key, others in faults[:12]
        ]
        raise WeightsError(
            f'{source} does not fit {type(module).__name__} ({len(faults)} of {len(own)} keys '
            f'differ):\n  '
            + '\n  '.join(shown + ['...'] * (len(faults) > 12))
            + '\nCheck that the file was made for this architecture and number of classes.'
        )


def leave_out_of_keys(module: nn.Module, child: str, beside: Iterable[str] = ()) -> None:
    """Let the keys of a module be those of its submodule, without the name of that in front.

    Args:
        module: The module whose keys are shortened, where it saves and where it loads.
        child: Name of the submodule.
        beside: Prefixes of the keys which are not the submodule's.
    """
    # mmengine saves by functions of its own, which pass over `state_dict` and run its hooks.
    module.register_state_dict_post_hook(partial(_drop_prefix, child + '.'))
    module.register_load_state_dict_pre_hook(partial(_add_prefix, child + '.', tuple(beside)))


def _drop_prefix(child: str, _module: nn.Module, state: dict, prefix: str, _metadata: dict) -> None:
    for part in (state, getattr(state, '_metadata', {})):
        keys = [key for key in part if key.startswith(prefix + child)]
        part.update({prefix + key.removeprefix(prefix + child): part.pop(key) for key in keys})


def _add_prefix(
    child: str,
    beside: tuple[str, ...],
    _module: nn.Module,
    state: dict,
    prefix: str,
    *_unused: dict | bool | list,
) -> None:
    others = tuple(prefix + name for name in beside)
    keys = [key for key in state if key.startswith(prefix) and not key.startswith(others)]
    state.update({prefix + child + key.removeprefix(prefix): state.pop(key) for key in keys})
