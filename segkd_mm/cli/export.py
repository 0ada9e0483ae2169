"""Export a trained student to ONNX, OpenVINO or torch.export, and compare it with PyTorch.

Examples:
  tools/export.py configs/student/mnv3s_slim_voc.py work_dirs/feature_kd_voc/best.pth --to onnx
  tools/export.py configs/kd/feature_kd_voc.py work_dirs/feature_kd_voc/best.pth --to openvino \\
      --precision bf16
  tools/export.py configs/student/mnv3s_slim_voc.py work_dirs/feature_kd_voc/best.pth \\
      --to openvino --precision int8 --image-in --labels-out

The file takes any batch and any size of the images. By default it takes normalised images and gives
logits at the model's own stride, of which segkd_mm.deploy.upsampled_label_map makes labels fastest.
Of a distillation config the student is exported. int8 is calibrated on training images.

What was exported is run on images of the validation split and must lie within these bounds of
PyTorch, or nothing is written:
{bounds}
int8 outside its bound is broken: the layers to keep in float are named.
"""

import argparse
import logging
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track

from segkd_mm.build_hints import build_hints
from segkd_mm.cli import arguments
from segkd_mm.config import load_config, plain_student
from segkd_mm.deploy.export import (
    PRECISIONS,
    SAVERS,
    SUFFIXES,
    export_libraries,
    export_metadata,
    to_format,
    written_if_valid,
)
from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.images import ModelInputs, image_paths, pixels_as_input, select_images
from segkd_mm.deploy.loading import load_model, without_auxiliary_heads
from segkd_mm.deploy.parity import BOUNDS, INT8_WITHOUT_MASKS, Bounds, Parity, measure_parity
from segkd_mm.deploy.quantise import layer_errors, quantise, worst_layers
from segkd_mm.deploy.runtime import load_runtime
from segkd_mm.measure.model_cost import MIB
from segkd_mm.results.files import command_line, write_result
from segkd_mm.results.tables import console_table, wide_console

SEED = 0  # of the choice of images to calibrate on
# Images to compare on by default; the mIoU of int8 needs more.
IMAGES = {'fp32': 16, 'bf16': 16, 'int8': 100}
LAYER_IMAGES = 4  # images for the error of each layer
TORCH_BF16 = ('torch-export', 'bf16')  # the graph itself is in bf16; OpenVINO converts


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    bounds = [f'  {precision}: {bounds}' for precision, bounds in BOUNDS.items()]
    bounds[-1] += f'; without truth {INT8_WITHOUT_MASKS}'
    parser = argparse.ArgumentParser(
        description=__doc__.format(bounds='\n'.join(bounds)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_config(parser)
    arguments.add_checkpoint(parser)
    parser.add_argument('--to', choices=SUFFIXES, required=True)
    parser.add_argument(
        '--precision', choices=BOUNDS, default='fp32', help='default: %(default)s; '
        + '; '.join(f'{to}: {", ".join(names)}' for to, names in PRECISIONS.items()),
    )  # fmt: skip
    parser.add_argument(
        '--out', type=Path, metavar='FILE',
        help='ends in .onnx, .xml or .pt2 (default: CHECKPOINT_PRECISION beside the checkpoint, or '
        'in work_dirs/CONFIG)',
    )  # fmt: skip
    parser.add_argument(
        '--image-in', action='store_true',
        help='normalise in the graph: it takes images [N, C, H, W] as the config loads them, '
        'such as uint8, BGR as OpenCV and mmcv read it',
    )  # fmt: skip
    parser.add_argument(
        '--labels-out', action='store_true',
        help='upsample and choose the class in the graph: it gives uint8 [N, H, W]',
    )  # fmt: skip
    parser.add_argument(
        '--images', nargs='+', metavar='PATH',
        help='compare on these images or folders of images, without truth',
    )  # fmt: skip
    parser.add_argument(
        '--num-images', type=int, metavar='N',
        help='compare on so many of the validation split (default: 16; int8: 100)',
    )  # fmt: skip
    int8 = parser.add_argument_group('int8')
    int8.add_argument(
        '--calibration', nargs='+', metavar='PATH', default=[],
        help='images or folders of images (default: a choice of the training images)',
    )  # fmt: skip
    int8.add_argument(
        '--num-calibration', type=int, default=100, metavar='N', help='default: %(default)s'
    )
    int8.add_argument(
        '--keep-float', nargs='+', action='extend', metavar='LAYER', default=[],
        help='modules or layers that stay in float, such as backbone.body.0',
    )  # fmt: skip
    int8.add_argument(
        '--max-drop', type=float, default=BOUNDS['int8'].drop, metavar='POINTS',
        help='of mIoU, in percent (default: %(default)s)',
    )  # fmt: skip
    arguments.add_cfg_options(parser)
    args = parser.parse_args()
    check(args, parser.error)
    args.out = args.out or default_file(args)
    return args


def check(args: argparse.Namespace, error: Callable[[str], None]) -> None:
    """Refuse options that do not go together."""
    if args.precision not in PRECISIONS[args.to]:
        others = [to for to, precisions in PRECISIONS.items() if args.precision in precisions]
        error(
            f'--to {args.to} has no --precision {args.precision}; that goes with --to '
            f'{" or ".join(others)}, and --to {args.to} with {" or ".join(PRECISIONS[args.to])}'
        )
    if args.precision != 'int8' and (args.calibration or args.keep_float):
        error('--calibration and --keep-float are of --precision int8')
    if args.out and args.out.suffix != SUFFIXES[args.to]:
        error(f'--out {args.out}: expected a name that ends in {SUFFIXES[args.to]}')


def default_file(args: argparse.Namespace) -> Path:
    """The default path of the exported model."""
    checkpoint, config = Path(args.checkpoint), Path(args.config).stem
    beside = checkpoint.is_file()
    folder, stem = (
        (checkpoint.parent, checkpoint.stem) if beside else (Path('work_dirs', config), config)
    )
    return folder / f'{stem}_{args.precision}{SUFFIXES[args.to]}'


def bounds_of(args: argparse.Namespace, parity: Parity) -> Bounds:
    """The bounds of the difference from PyTorch."""
    if args.precision != 'int8':
        return BOUNDS[args.precision]
    return INT8_WITHOUT_MASKS if parity.miou is None else Bounds(drop=args.max_drop)


def judge(args: argparse.Namespace, parity: Parity) -> list[str]:
    """Print the differences; return those outside the bounds."""
    bounds = bounds_of(args, parity)
    title = f'{args.to} {args.precision} against PyTorch; allowed: {bounds}'
    wide_console().print(console_table([parity.table_row()], title=title))
    return parity.violations(bounds)


def refusal(args: argparse.Namespace, broken: Sequence[str], errors: Mapping[str, float]) -> str:
    """The error message for a file outside its bounds, with the error of each layer in int8."""
    lines = [f'{args.out} was not written: {"; ".join(broken)}.']
    if errors:
        title = 'Error of the output when only this layer is in int8'
        wide_console().print(console_table(error_rows(errors), title=title))
        lines.append('The model is broken by int8. Its worst layers can stay in float:')
        lines.append(f'  {command_line()} --keep-float {shlex.join(worst_layers(errors))}')
    return '\n'.join(lines)


def error_rows(errors: Mapping[str, float]) -> list[dict]:
    """The worst ten layers, for people."""
    total = sum(errors.values())
    worst = sorted(errors.items(), key=lambda item: item[1], reverse=True)[:10]
    return [
        {'layer': layer, 'relative error': f'{error:.1e}', 'share %': 100 * error / total}
        for layer, error in worst
    ]


def report(args: argparse.Namespace, payload: dict) -> None:
    """Write the result file; print where the files are and what to run next."""
    files = [args.out.with_suffix(suffix) for suffix in (args.out.suffix, '.bin')]
    size = sum(file.stat().st_size for file in files if file.is_file())
    named = {'config': args.config, 'checkpoint': args.checkpoint, 'artefact': args.out}
    write_result(f'{args.out}.json', {**named, 'bytes': size, **payload})
    print(f'Exported: {args.out}, {size / MIB:.1f} MiB; {payload["engine"]}')
    print(f'Result: {args.out}.json')
    for tool in ('test', 'benchmark'):
        print(f'Next: python tools/{tool}.py {args.config} {args.out}')


@build_hints()
def main() -> None:
    """Run the command line."""
    args = parse_args()
    logging.disable(logging.WARNING)  # mmengine writes a page on how each weight was made
    export_libraries(args.to, args.precision)
    config = plain_student(load_config(args.config, args.cfg_options))
    model = without_auxiliary_heads(load_model(config, args.checkpoint))
    images = select_images(config, args.images, 'val', args.num_images or IMAGES[args.precision])
    dtype = torch.bfloat16 if (args.to, args.precision) == TORCH_BF16 else torch.float32
    pixels = pixels_as_input(images[0]['inputs']).dtype
    graph = DeployedGraph(model, args.image_in, args.labels_out, dtype, pixels).eval()
    with Console(stderr=True).status('Exporting'):
        exported = in_float = to_format(graph, args.to)
    record = {}
    if args.precision == 'int8':
        calibration = select_images(config, args.calibration, 'train', args.num_calibration, SEED)
        inputs = ModelInputs(calibration, model.data_preprocessor, args.image_in)
        exported = quantise(in_float, inputs, args.keep_float)
        record = {'calibration': image_paths(calibration), 'keep_float': args.keep_float}
    with written_if_valid(args.out) as aside:
        metadata = export_metadata(graph, config, args.to, args.precision)
        metadata |= {'config': args.config, 'checkpoint': args.checkpoint}
        SAVERS[args.to](exported, aside, metadata)
        runtime = load_runtime(aside)
        parity = measure_parity(model, runtime, track(images, 'Comparing'))
        if broken := judge(args, parity):
            few = islice(ModelInputs(images, model.data_preprocessor, args.image_in), LAYER_IMAGES)
            errors = layer_errors(in_float, exported, [*few]) if args.precision == 'int8' else {}
            raise SystemExit(refusal(args, broken, errors))
    record |= {'comparison': asdict(parity), 'bounds': asdict(bounds_of(args, parity))}
    report(args, {'engine': runtime.engine, **record, 'metadata': runtime.metadata})
