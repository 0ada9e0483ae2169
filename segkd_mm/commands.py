"""The commands of ``segkd``, and how a user here calls one: for hints and help texts."""

import re
import sys
from pathlib import Path

# Each command with its module in segkd_mm.cli and segkd_mm.cli.options. A script of that name in
# tools/ does the same.
COMMANDS = {
    'quickstart': 'quickstart',
    'new': 'new_experiment',
    'convert': 'convert_dataset',
    'browse': 'browse_dataset',
    'band-statistics': 'band_statistics',
    'doctor': 'doctor',
    'cache': 'cache_teacher',
    'train': 'train',
    'test': 'test',
    'predict': 'predict',
    'benchmark': 'benchmark',
    'export': 'export',
    'push': 'push',
    'demo': 'demo',
    'serve': 'serve',
    'compare': 'compare',
    'curves': 'curves',
    'report': 'report',
    'configs': 'configs',
    'print-config': 'print_config',
    'rename-weights': 'rename_weights',
    'halve-cityscapes': 'halve_cityscapes',
    'results-table': 'results_table',
    'completion': 'completion',
}
TOOLS = Path(__file__).resolve().parents[1] / 'tools'  # of a checkout


def command(name: str) -> str:
    """How to call a command here: ``python tools/train.py`` or ``segkd train``.

    The first is for a checkout, unless this process itself was started as ``segkd`` or as ``python
    -m segkd_mm``; an installed package has no tools/.

    Raises:
        KeyError: There is no such command.
    """
    started, script = Path(sys.argv[0]), TOOLS / f'{COMMANDS[name]}.py'
    if started.stem == 'segkd' or not TOOLS.is_dir():
        return f'segkd {name}'
    if started.parts[-2:] == ('segkd_mm', '__main__.py') or not script.is_file():
        return f'python -m segkd_mm {name}'
    below = script.is_relative_to(Path.cwd())
    return f'python {script.relative_to(Path.cwd()) if below else script}'


def with_commands(text: str) -> str:
    """A text in which each ``segkd NAME`` is written as a user here calls it."""
    names = '|'.join(sorted(COMMANDS, key=len, reverse=True))
    return re.sub(rf'\bsegkd ({names})\b(?!-)', lambda found: command(found[1]), text)
