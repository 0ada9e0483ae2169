"""Strict loading of state dicts into modules, with checks and renaming of keys."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from segkd_mm.hints import did_you_mean
from segkd_mm.weights.error import WeightsError


def rename_keys(
    state: Mapping[str, Tensor], names: Mapping[str, str], source: str | Path
) -> dict[str, Tensor]:
    """Rename the modules in the keys of a state dict.

    Args:
        state: The state dict.
        names: Dotted module names, old to new; the longest name that matches a key is used.
        source: Source of the weights, for the message.

    Raises:
        WeightsError: A name matches no key, or two keys get the same name.
    """
    renamed, used = {}, set()
    for key, tensor in state.items():
        matches = [old for old in names if key == old or key.startswith(old + '.')]
        old = max(matches, key=len, default=None)
        used.add(old)
        renamed[key if old is None else names[old] + key[len(old) :]] = tensor
    if unused := [f'{old}{did_you_mean(old, state, 1, 0.8)}' for old in names if old not in used]:
        raise WeightsError(f'{source} has no key under {", ".join(unused)}.')
    if len(renamed) < len(state):
        raise WeightsError(
            f'{source}: two keys come to one name by {dict(names)}; give each a different name.'
        )
    return renamed


def load_strictly(
    module: nn.Module, state: Mapping[str, Tensor], source: str | Path, ignore: Iterable[str] = ()
) -> None:
    """Load a state dict into a module; if any key or shape does not fit, nothing is loaded.

    A module whose files have other keys than its own converts them in a method
    ``to_own_keys(state, source)``.

    Args:
        module: The module.
        state: Its state dict.
        source: Source of the weights, for the message.
        ignore: Prefixes of keys that may be missing on either side.

    Raises:
        WeightsError: See :func:`check_fit`; or a tensor holds NaN or infinity, or numbers of
            another kind than the module's.
    """
    ignore = tuple(ignore)
    state = {k: v for k, v in state.items() if not k.startswith(ignore)}
    if hasattr(module, 'to_own_keys') and state.keys() != module.state_dict().keys():
        state = module.to_own_keys(state, source)
    check_fit(module, state, source, ignore)
    _check_types(module, state, source)
    _check_finite(module, state, source)
    module.load_state_dict(state, strict=not ignore)


def check_fit(
    module: nn.Module, state: Mapping[str, Tensor], source: str | Path, ignore: Iterable[str] = ()
) -> None:
    """Check that a state dict fits a module, as :func:`load_strictly` does, without loading it.

    Raises:
        WeightsError: Lists keys that are missing, unexpected or of another shape.
    """
    ignore = tuple(ignore)
    own = {k: v for k, v in module.state_dict().items() if not k.startswith(ignore)}
    state = {k: v for k, v in state.items() if not k.startswith(ignore)}
    shapes = {
        key: f'shape {tuple(state[key].shape)} in the file, {tuple(tensor.shape)} in the model'
        for key, tensor in own.items()
        if key in state and state[key].shape != tensor.shape
    }
    faults = [
        *(('missing', key, state) for key in own if key not in state),
        *(('unexpected', key, own) for key in state if key not in own),
        *((fault, key, ()) for key, fault in shapes.items()),
    ]
    if faults:
        # Similar names are searched for only in these: in a wrong file no key fits.
        lines = [
            f'{fault}: {key}{did_you_mean(key, others, 1, 0.8)}'
            for fault, key, others in faults[:12]
        ]
        raise WeightsError(
            f'{source} does not fit {type(module).__name__} ({len(faults)} of {len(own)} keys '
            f'differ):\n  '
            + '\n  '.join(lines + ['...'] * (len(faults) > 12))
            + '\nCheck that the file was made for this architecture and number of classes.'
        )


def _check_types(module: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Check that weights are dense numbers of the module's kind: torch would convert them.

    Raises:
        WeightsError: Some are whole or complex where the module has floats, quantised or sparse.
    """
    own = module.state_dict()
    faults = [
        f'{key} ({tensor.layout}, {tensor.dtype} for {own[key].dtype})'.replace('torch.', '')
        for key, tensor in state.items()
        if key in own and not _is_of_kind(tensor, own[key])
    ]
    if faults:
        raise WeightsError(
            f'{source} holds {len(faults)} of {len(state)} tensors of another kind than the '
            'model:\n  '
            + '\n  '.join(faults[:12] + ['...'] * (len(faults) > 12))
            + '\nSave the weights as dense floats, such as those of before a quantisation.'
        )


def _is_of_kind(tensor: Tensor, own: Tensor) -> bool:
    dense = tensor.layout == torch.strided and not tensor.is_quantized
    return (
        dense
        and (tensor.is_floating_point() or not own.is_floating_point())
        and (not tensor.is_complex() or own.is_complex())
    )


def _check_finite(module: nn.Module, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Check that all weights are numbers; constants of the module may be infinite, such as masks.

    Raises:
        WeightsError: Some are NaN or infinite; names the tensors.
    """
    own = module.state_dict()
    faults = [
        f'{key} ({int((~tensor.isfinite()).sum())} of {tensor.numel()} values)'
        for key, tensor in state.items()
        if key in own and not tensor.isfinite().all() and own[key].isfinite().all()
    ]
    if faults:
        raise WeightsError(
            f'{source} holds NaN or infinity in {len(faults)} of {len(state)} tensors:\n  '
            + '\n  '.join(faults[:12] + ['...'] * (len(faults) > 12))
            + '\nThe training that wrote it diverged, or the file is damaged: take an earlier '
            'checkpoint or another file.'
        )


def leave_out_of_keys(module: nn.Module, child: str, beside: Iterable[str] = ()) -> None:
    """Leave the name of a submodule out of a module's state dict keys, in saving and loading.

    Args:
        module: The module.
        child: Name of the submodule.
        beside: Prefixes of the keys that do not belong to the submodule.
    """
    # mmengine saves with its own functions, which do not call `state_dict` but run its hooks.
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
