"""Train and test several configs over several seeds, and tabulate the gains with their spread.

Examples:
  segkd compare configs/leaderboard/slim_*_camvid.py --results results/camvid
  segkd compare CONFIG... --seeds 0 1 2 --results results/camvid --check

What has no result in RESULTS/<config>/<seed>.json is trained (in work_dirs/compare), seed by seed;
then the last weights, not those of the best validation, are tested on the test split, once.
Stopped, it goes on where it was when started again; a run that fails does not stop the others. The
table over all results goes to RESULTS/leaderboard.json, with two pictures beside it.
"""

from argparse import ArgumentParser
from pathlib import Path

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument(
        'configs', nargs='+', metavar='CONFIG',
        help='config files, or names of `segkd configs`',
    )  # fmt: skip
    parser.add_argument(
        '--results', type=Path, required=True, metavar='DIR',
        help='results of this data set, such as results/camvid',
    )  # fmt: skip
    parser.add_argument(
        '--seeds', type=arguments.seed, nargs='+', default=[0, 1, 2], help='default: 0 1 2'
    )
    arguments.add_epochs(parser)
    parser.add_argument(
        '--baseline', metavar='CONFIG',
        help='what gains are over (default: the first config without a teacher)',
    )  # fmt: skip
    parser.add_argument(
        '--name', default='leaderboard', help="of the table's files in DIR (default: leaderboard)"
    )
    parser.add_argument(
        '--jobs', type=arguments.positive, metavar='N',
        help='trainings at once, which share the cores (default: one a GPU, else 1)',
    )  # fmt: skip
    parser.add_argument(
        '--check', action='store_true',
        help='run nothing; print what would be run, and make the table of the existing results',
    )  # fmt: skip
    parser.add_argument(
        '--cfg-options', nargs='+', type=arguments.option, default=[], metavar='KEY=VALUE',
        help='override the configs; data_root=DIR reaches every data set, and model.teacher.* '
        'those configs that have a teacher',
    )  # fmt: skip
