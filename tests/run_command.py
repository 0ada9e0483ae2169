"""A command of segkd in this process, whose errors the test sees as they were raised."""

from segkd_mm.cli.main import main_parser, run


def run_command(name: str, *words: object) -> int:
    """``run_command('test', config, checkpoint)``; gives the exit code."""
    return run(main_parser().parse_args([name, *map(str, words)]))
