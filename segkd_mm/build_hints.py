"""Error messages for configs: unknown types and keywords, with near names, and wrong channels."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import Parameter, signature
from itertools import zip_longest
from opcode import opmap
from sysconfig import get_paths
from traceback import walk_tb
from types import FrameType
from urllib.error import URLError

from mmengine.registry import OPTIMIZERS, Registry

from segkd_mm.hints import did_you_mean

# Whose `raise` statements speak to the user.
OWN = ('segkd_mm',)
# Where libraries and Python's own modules lie; some of these have no file.
LIBRARIES = (*{get_paths()[kind] for kind in ('purelib', 'platlib', 'stdlib')}, '<frozen')


# In messages of libraries whose cause is not a value of the config.
ELSEWHERE = 'memory', 'CUDA', 'hash value'


class BuildError(TypeError):
    """A config names a type or keyword that does not exist, lacks one, or channels do not fit."""


@contextmanager
def build_hints(where: str = '') -> Iterator[None]:
    """Context and decorator in which a fault of a model's config gives a BuildError.

    It applies to all builds by mmengine's registries inside, and to all forwards of models. Other
    errors pass unchanged.

    Args:
        where: Place in the config, for the message.

    Raises:
        BuildError: Names the place, the unknown name, near names, and the keywords that exist; or
            the head whose ``in_channels`` do not fit, and the channels that it gets.
        URLError: Names the file that could not be fetched.
        ValueError: Names the data set that found no files.
    """
    try:
        yield
    except BuildError:
        raise
    except (KeyError, TypeError) as error:
        _explain(error, where)
        _explain_value(error, where)
        raise
    except (AssertionError, IndexError, RuntimeError) as error:
        from segkd_mm.head_hints import explained_channels  # imports torch, there by then

        if fault := explained_channels(error):
            raise BuildError(f'{where}: {fault}' if where else fault) from error
        _explain_value(error, where)
        raise
    except (ArithmeticError, AttributeError) as error:
        _explain_value(error, where)
        raise
    except URLError as error:
        from segkd_mm.library_hints import explained_download  # likewise

        if fault := explained_download(error):
            raise URLError(fault) from error
        raise
    except ValueError as error:
        from segkd_mm.library_hints import explained_empty

        if not is_raised_by(error, OWN) and (fault := explained_empty(error)):
            raise ValueError(fault) from error
        _explain_value(error, where)
        raise


def check_keywords(where: str, given: Iterable[str], known: Collection[str]) -> None:
    """Check that keywords exist.

    Raises:
        BuildError: One of those given is not known.
    """
    for key in given:
        if key not in known:
            raise BuildError(
                f'{where}: no keyword {key!r}{did_you_mean(key, known)}; those that exist: '
                f'{", ".join(known)}.'
            )


def keywords_of(target: Callable) -> list[str]:
    """Keywords of a function or class; of a class with ``**kwargs`` also those of its bases."""
    inits = [vars(c)['__init__'] for c in getattr(target, '__mro__', []) if '__init__' in vars(c)]
    names = {}
    for function in inits or [target]:
        parameters = signature(function).parameters.values()
        kinds = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY
        names |= {p.name: None for p in parameters if p.kind in kinds and p.name != 'self'}
        if not any(p.kind is Parameter.VAR_KEYWORD for p in parameters):
            break
    return list(names)


def _explain(error: KeyError | TypeError, where: str) -> None:
    """Raise a BuildError if the cause of an error in a build is an unknown type or keyword.

    The frames of the traceback tell which configs were being built, by which registry: mmengine
    has no other place for this, short of changing its registries.
    """
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    _check_optimizer(frames)
    _check_is_config(error, frames, where)
    builds = [frame for frame in frames if _is_build(frame)]
    if not builds:
        return
    configs = [frame.f_locals['cfg'] for frame in builds]
    # Functions that pass on the same config are one build.
    path = [_type_name(c) for c, inner in zip_longest(configs, configs[1:]) if c is not inner]
    if isinstance(error, TypeError):
        _check_named_keywords(_joined(where, path), builds[-1], str(error))
    elif builds[-1] is frames[-1]:
        _check_type(_joined(where, path[:-1]), path[-1], builds[-1].f_locals['registry'])


def _explain_value(error: Exception, where: str) -> None:
    """Raise a BuildError if a library fails in a build: a value of its config is the cause.

    Errors that the package raises itself say more, and those of a user's own class are its faults.
    """
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    builds = [frame for frame in frames if _is_build(frame)]
    below = frames[frames.index(builds[-1]) :] if builds else []
    if not below or _is_own(below[-1]) or not all(map(_is_known, below)):
        return
    if any(word in str(error) for word in ELSEWHERE):
        return
    configs = [frame.f_locals['cfg'] for frame in builds]
    path = [_type_name(c) for c, inner in zip_longest(configs, configs[1:]) if c is not inner]
    given = {k: v for k, v in configs[-1].items() if k != 'type' and not isinstance(v, Mapping)}
    raise BuildError(
        f'{_joined(where, path)}: cannot be built with {given!r:.300}: {type(error).__name__} '
        f'{str(error)[:300]!r}. Correct the value that is wrong; --traceback shows more.'
    ) from error


def _is_own(frame: FrameType) -> bool:
    return frame.f_globals.get('__name__', '').split('.')[0] in OWN


def _is_known(frame: FrameType) -> bool:
    """Whether a frame is of the package, of Python or of an installed library."""
    return _is_own(frame) or frame.f_code.co_filename.startswith(LIBRARIES)


def is_raised_by(error: Exception, owners: tuple[str, ...]) -> bool:
    """Whether an error came from a ``raise`` statement of some modules, or of those below them."""
    traceback = error.__traceback__
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    frame = traceback.tb_frame
    statement = frame.f_code.co_code[traceback.tb_lasti]
    module = frame.f_globals.get('__name__', '')
    return statement == opmap['RAISE_VARARGS'] and any(
        module == owner or module.startswith(f'{owner}.') for owner in owners
    )


def _check_optimizer(frames: Iterable[FrameType]) -> None:
    """mmengine looks up the optimizer outside of a build, and goes on with None."""
    for found in (frame.f_locals for frame in frames):
        if found.get('optimizer_cls', found) is None:
            kind = found['optimizer_cfg']['type']
            _check_type('optim_wrapper.optimizer', kind, OPTIMIZERS)


def _check_is_config(error: Exception, frames: Sequence[FrameType], where: str) -> None:
    """mmengine says of a config without a type, or that is no dict, not where it stands."""
    found = frames[-1].f_locals  # of its build function, which raised the error
    config, registry = found.get('cfg'), found.get('registry')
    if 'cfg' not in found or not isinstance(registry, Registry) or 'type' in _keys(config):
        return
    raise BuildError(
        f'{where or registry.name}: found {config!r:.200}, expected a dict with the type of a '
        f"{registry.name}, such as dict(type='NAME', ...). Correct the config."
    ) from error


def _keys(config: object) -> Iterable[str]:
    return config if isinstance(config, Mapping) else ()


def _check_type(where: str, name: str, registry: Registry) -> None:
    names = _names_in(registry)
    if name.rpartition('.')[2] not in names:
        raise BuildError(
            f'{where}{": " if where else ""}no {registry.name} is registered as {name!r}'
            f'{did_you_mean(name, names)}. For a class of your own, add its module to '
            'custom_imports.'
        )


def _is_build(frame: FrameType) -> bool:
    """Whether a frame is a build function of mmengine or mmcv, by the names of its arguments."""
    config, registry = (frame.f_locals.get(name) for name in ('cfg', 'registry'))
    return isinstance(registry, Registry) and isinstance(config, Mapping) and 'type' in config


def _type_name(config: Mapping) -> str:
    kind = config['type']
    return kind if isinstance(kind, str) else getattr(kind, '__name__', str(kind))


def _check_named_keywords(where: str, build: FrameType, message: str) -> None:
    """Check those keywords of a failed build that the message of its error names."""
    config, registry = build.f_locals['cfg'], build.f_locals['registry']
    kind = config['type']
    target = registry.get(kind) if isinstance(kind, str) else kind
    if named := [key for key in config if key != 'type' and repr(key) in message]:
        check_keywords(where, named, keywords_of(target))


def _joined(where: str, path: Iterable[str]) -> str:
    return ' > '.join([*([where] if where else []), *path])


def _names_in(registry: Registry | None) -> set[str]:
    names = set()
    while registry is not None:
        names |= set(registry.module_dict)
        registry = registry.parent
    return names
