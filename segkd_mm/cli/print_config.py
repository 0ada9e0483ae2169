"""Print a config with its bases and options resolved: one file that is a config itself."""

from argparse import Namespace

from mmengine.config import Config

from segkd_mm.config import RUNNER_KEYS, load_config
from segkd_mm.config_source import to_source

HELPERS = '# Variables of the bases.'


def resolved(config: Config, name: str) -> str:
    """The text of a config file without bases, its name at the top; what a run reads is first."""
    values = config.to_dict()
    settings = [key for key in ('custom_imports', *RUNNER_KEYS) if key in values]
    helpers = [key for key in values if key not in settings]
    lines = [f'{key} = {to_source(values[key], len(key) + 3)}' for key in (*settings, *helpers)]
    lines.insert(len(settings), HELPERS)
    return '\n'.join([f'"""{name}, resolved."""', '', *lines])


def run(args: Namespace) -> None:
    """Run the command."""
    config = load_config(args.config, args.cfg_options)
    print(resolved(config, config.filename))
