"""Print the completion of this command line for a shell.

Examples:
  segkd completion bash > ~/.local/share/bash-completion/completions/segkd
  segkd completion zsh > ~/.zfunc/_segkd

Needs the library shtab (pip install 'segkd_mm[completion]'), and a new shell to take effect. For
zsh, the folder must be in fpath.
"""

from argparse import ArgumentParser


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument('shell', choices=['bash', 'zsh', 'tcsh'])
