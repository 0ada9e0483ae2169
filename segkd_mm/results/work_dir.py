"""Work directories: what an earlier training left is set aside, or compared to be resumed."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from segkd_mm.files import written_aside
from segkd_mm.json_files import read_object
from segkd_mm.results.files import read_results

TIME = 8 * '[0-9]' + '_' + 6 * '[0-9]'  # a folder of logs: 20260131_235959
# What a training and the test of its checkpoints write; the pointer to resume from is the first.
WRITTEN = (
    'last_checkpoint', '*.pth', 'train.json', 'test_*.json', 'model.py', 'config.json',
    'curves.png', TIME,
)  # fmt: skip
# What a training's weights depend on, of the keys that mmengine's Runner reads.
DECISIVE = (
    'model', 'data_preprocessor', 'train_dataloader', 'train_cfg', 'optim_wrapper',
    'param_scheduler', 'auto_scale_lr', 'custom_hooks', 'randomness', 'sync_bn', 'val_dataloader',
    'val_evaluator',
)  # fmt: skip
# Keys inside these that change nothing but the time, or how often is validated.
HARMLESS = (
    'num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'val_interval',
    'val_begin', 'mebibytes',
)  # fmt: skip
SHOWN = 12  # differences in a message


def check_is_folder(work_dir: str) -> None:
    """Check that a work directory is no address, which would become a folder named ``s3:``.

    Raises:
        ValueError: It is.
    """
    if '://' in work_dir:
        raise ValueError(
            f'The work directory {work_dir} is an address, but checkpoints are locked, synced and '
            'renamed, which needs a file system: give a folder, and the address by '
            f'--copy-to {work_dir} (docs/large_scale.md).'
        )


def earlier_files(work_dir: str | os.PathLike) -> list[Path]:
    """List the checkpoints, logs and results of an earlier training in a work directory."""
    return [path for pattern in WRITTEN for path in sorted(Path(work_dir).glob(pattern))]


def check_unused(config: Mapping, earlier: Sequence[Path]) -> None:
    """Check that a config names none of the files, as they are about to be moved.

    Raises:
        ValueError: It names one, such as in ``load_from``.
    """
    own = {os.path.abspath(path) for path in earlier}
    for text in _strings(config):
        if os.path.abspath(text) in own:
            raise ValueError(
                f'The config names {text}, but that is of an earlier run in the work directory of '
                'this one; give another --work-dir, or go on with that run by --resume.'
            )


def set_aside(earlier: Sequence[Path]) -> str:
    """Move the files of an earlier training to a folder beside them; say what was moved where."""
    work_dir = earlier[0].parent
    folder = work_dir / f'earlier_{datetime.now():%Y%m%d_%H%M%S_%f}'
    run = _describe(work_dir / 'train.json')
    folder.mkdir()
    for path in earlier:
        path.rename(folder / path.name)
    return (
        f'{work_dir} held an earlier run{run}: its checkpoints, logs and results are now in '
        f'{folder}. To go on with a run, use --resume.'
    )


def record_config(work_dir: str | os.PathLike, config: Mapping) -> None:
    """Write WORK_DIR/config.json: the settings that :func:`check_same_run` compares."""
    with written_aside(Path(work_dir, 'config.json')) as aside:
        aside.write_text(json.dumps(_decisive(config), indent=2) + '\n', encoding='utf-8')


def check_same_run(config: Mapping, checkpoint: str | os.PathLike | None) -> None:
    """Check that a config is that of the training to resume, by the config.json beside it.

    Args:
        config: With ``work_dir``.
        checkpoint: What to resume; None for the latest in the work directory, if there is one.

    Raises:
        ValueError: The model, the data or the schedule differ; lists the keys.
    """
    folder = Path(checkpoint).parent if checkpoint else Path(config['work_dir'])
    record = folder / 'config.json'
    if not record.is_file() or not (checkpoint or (folder / 'last_checkpoint').is_file()):
        return
    advice = 'Remove it to go on without the comparison.'
    there, now = read_object(record, 'the settings of a training', advice), _decisive(config)
    lines = [
        f'  {key}: {there.get(key, "-")} there, {now.get(key, "-")} now'
        for key in {**there, **now}
        if there.get(key) != now.get(key)
    ]
    if lines:
        more = [f'  and {len(lines) - SHOWN} more'] * (len(lines) > SHOWN)
        raise ValueError(
            f'--resume: {folder} holds a training of other settings:\n'
            + '\n'.join([*lines[:SHOWN], *more])
            + '\nGive the settings that it was started with, or train anew with another --work-dir '
            '(load_from=CKPT starts from its weights). --allow-changes goes on all the same; the '
            'learning rate then follows the schedule of the checkpoint to its end.'
        )


def _decisive(config: Mapping) -> dict[str, str]:
    """The decisive settings by dotted key, as JSON."""
    return {
        key: json.dumps(value, default=repr)
        for name in DECISIVE
        for key, value in _leaves(name, config.get(name))
        if key.rpartition('.')[2] not in HARMLESS
    }


def _leaves(name: str, node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, list | tuple) and any(isinstance(one, Mapping) for one in node):
        node = {str(index): one for index, one in enumerate(node)}
    if isinstance(node, Mapping) and node:
        for key, child in node.items():
            yield from _leaves(f'{name}.{key}', child)
    elif node is not None:
        yield name, node


def _describe(record: Path) -> str:
    if not record.is_file():
        return ' that was not finished'
    (run,) = read_results([record])
    return f' of {run["config"]}, seed {run["seed"]}, of {run["date"]}'


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping | list | tuple):
        for child in node.values() if isinstance(node, Mapping) else node:
            yield from _strings(child)
