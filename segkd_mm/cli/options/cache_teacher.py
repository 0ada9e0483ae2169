"""Build a teacher cache: run the teacher once on each whole training image, store its maps.

Examples:
  segkd cache configs/kd/response_kd_cached_camvid.py --device cuda
  segkd cache my_config.py --cfg-options model.teacher.view.flip=True
  segkd cache my_config.py --part 2/4    # beside 1/4, 3/4 and 4/4 in other processes

The config has a CachedTeacher and, around its training data, a WithTeacherCache (docs:
teacher_cache.md). Stored are the maps that its terms learn from, logits and features. Finished
shards are kept, so that a run that was stopped continues when it is started again. At the end it
prints the teacher's mIoU on whole images and on training crops. Parts may run at one time, on
machines that share the folder; the last one to end completes the cache.
"""

from argparse import ArgumentParser, ArgumentTypeError

from segkd_mm.cli import arguments


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
    arguments.add_config(parser)
    arguments.add_device(parser)
    parser.add_argument(
        '--workers', type=arguments.whole, default=2, help='processes that read images (default: 2)'
    )
    parser.add_argument(
        '--part', type=part, default=(1, 1), metavar='I/N',
        help='build the I-th of N parts of the shards (default: all)',
    )  # fmt: skip
    parser.add_argument(
        '--max-kl', type=arguments.amount, default=1e-3, metavar='NATS',
        help='highest mean KL divergence of the stored distributions (the largest logits of a '
        "pixel and the sum of the others) from the teacher's (default: 0.001)",
    )  # fmt: skip
    parser.add_argument(
        '--max-error', type=arguments.amount, default=0.02, metavar='RATIO',
        help='highest mean relative error of features in int8; above it they are stored in '
        'float16 (default: 0.02)',
    )  # fmt: skip
    arguments.add_cfg_options(parser)


def part(text: str) -> tuple[int, int]:
    """Two whole numbers, the part and the number of parts, for argparse."""
    number, slash, count = text.partition('/')
    if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ArgumentTypeError(f'{text}: expected I/N with I from 1 to N, as in 2/4')
    return int(number), int(count)
