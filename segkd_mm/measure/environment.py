"""Versions, hardware and source state that a result was measured with."""

import os
import platform
import subprocess
from importlib import import_module
from pathlib import Path

import torch

PACKAGES = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmseg', 'timm', 'segkd_mm')
CHECKOUT = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str | int | bool | None]:
    """Collect versions, processor, GPU and source state; absent values are None."""
    versions = {name: import_module(name).__version__ for name in PACKAGES}
    return {
        'python': platform.python_version(),
        **versions,
        'platform': platform.platform(),
        'cpu': _cpu_name(),
        'cores': os.cpu_count(),
        'threads': torch.get_num_threads(),
        'gpu': torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        **source_state(CHECKOUT),
    }


def source_state(folder: Path) -> dict[str, str | bool | None]:
    """Commit of a git checkout (``commit``) and whether tracked files differ from it (``dirty``).

    Both are None if ``folder`` is not the root of a checkout, such as a package that is installed
    inside another repository.
    """
    root = _git(folder, 'rev-parse', '--show-toplevel')  # has other slashes on Windows
    if root is None or Path(root) != folder:
        return {'commit': None, 'dirty': None}
    changes = _git(folder, 'status', '--porcelain', '--untracked-files=no')
    return {'commit': _git(folder, 'rev-parse', 'HEAD'), 'dirty': bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    command = ['git', '-C', str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _cpu_name() -> str:
    cpuinfo = Path('/proc/cpuinfo')
    lines = cpuinfo.read_text(encoding='utf-8').splitlines() if cpuinfo.exists() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor()


def check_device(name: str) -> None:
    """Check that a device is there, such as ``cuda:1``.

    Raises:
        ValueError: It is not, or there is no such kind.
    """
    try:
        torch.ones(1, device=name).item()
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        there = [f'cuda:{number}' for number in range(torch.cuda.device_count())]
        raise ValueError(
            f'--device {name}: it cannot be used ({str(error).splitlines()[0][:120]}). Expected '
            f'one of {", ".join(["cpu", *there])}.'
        ) from error
