"""Export a trained student to a file of a runtime, and compare that with PyTorch."""

import logging
import shlex
from argparse import Namespace
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from itertools import islice
from typing import Any

import torch
from mmengine.config import Config
from rich.console import Console
from rich.progress import track
from torch import nn
from torch.utils.data import Subset

from segkd_mm.commands import command
from segkd_mm.config import load_config, plain_student
from segkd_mm.deploy.coreml_model import check_coreml
from segkd_mm.deploy.export import (
    SAVERS,
    export_libraries,
    export_metadata,
    to_format,
    written_if_valid,
)
from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.deploy.image_steps import steps_left_out
from segkd_mm.deploy.images import ModelInputs, at_size, image_paths, pixels_as_input, select_images
from segkd_mm.deploy.loading import deployable, load_model
from segkd_mm.deploy.parity import Parity, measure_parity
from segkd_mm.deploy.quantise import layer_errors, quantise, worst_layers
from segkd_mm.deploy.runtime import load_runtime
from segkd_mm.formats import BOUNDS, INT8_WITHOUT_MASKS, NOT_RUN, Bounds, files_of
from segkd_mm.measure.model_cost import MIB
from segkd_mm.results.files import command_line, write_result
from segkd_mm.results.tables import console_table, wide_console

SEED = 0  # of the choice of images to calibrate on
# Images to compare on by default; the mIoU of int8 needs more.
IMAGES = {**dict.fromkeys(BOUNDS, 16), 'int8': 100}
NOT_COMPARED = (
    'not run and not compared with PyTorch, as Core ML runs on Apple devices alone; its input, '
    'output and metadata were checked'
)
LAYER_IMAGES = 4  # images for the error of each layer
TORCH_BF16 = ('torch-export', 'bf16')  # the graph itself is in bf16; OpenVINO converts


def bounds_of(args: Namespace, parity: Parity) -> Bounds:
    """The bounds of the difference from PyTorch."""
    if args.precision != 'int8':
        return BOUNDS[args.precision]
    return INT8_WITHOUT_MASKS if parity.miou is None else Bounds(drop=args.max_drop)


def judge(args: Namespace, parity: Parity) -> list[str]:
    """Print the differences; return those outside the bounds."""
    bounds = bounds_of(args, parity)
    title = f'{args.to} {args.precision} against PyTorch; allowed: {bounds}'
    wide_console().print(console_table([parity.table_row()], title=title))
    return parity.violations(bounds)


def refusal(args: Namespace, broken: Sequence[str], errors: Mapping[str, float]) -> str:
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


def report(args: Namespace, payload: dict) -> None:
    """Write the result file; print where the files are and what to run next."""
    size = sum(file.stat().st_size for file in files_of(args.out))
    named = {'config': args.config, 'checkpoint': args.checkpoint, 'artefact': args.out}
    write_result(f'{args.out}.json', {**named, 'bytes': size, **payload})
    print(f'Exported: {args.out}, {size / MIB:.1f} MiB; {payload["engine"]}')
    print(f'Result: {args.out}.json')
    for tool in () if args.to in NOT_RUN else ('test', 'benchmark'):
        print(f'Next: {command(tool)} {args.config} {args.out}')


def run(args: Namespace) -> None:
    """Run the command."""
    logging.disable(logging.WARNING)  # mmengine writes a page on how each weight was made
    export_libraries(args.to, args.precision)
    config = plain_student(load_config(args.config, args.cfg_options))
    trained = load_model(config, args.checkpoint)
    write = write_checked if args.to in NOT_RUN else write_compared
    report(args, write(args, config, trained))
    if others := steps_left_out(config):
        print(
            f'Not in the file: {", ".join(others)} of the test pipeline. segkd_mm.load(FILE) and '
            f'`{command("serve")}` leave it out; {args.config} with the file does it.'
        )


def write_checked(args: Namespace, config: Config, trained: nn.Module) -> dict:
    """Write a file that does not run here, if what it says of itself is right: its record."""
    graph = DeployedGraph(deployable(trained), size=args.size).eval()
    with written_if_valid(args.out) as aside, Console(stderr=True).status('Exporting'):
        metadata = metadata_of(args, config, graph)
        SAVERS[args.to](to_format(graph, args.to, args.precision), aside, metadata)
        check_coreml(aside, graph, metadata)
    return {'engine': NOT_COMPARED, 'metadata': metadata}


def metadata_of(args: Namespace, config: Config, graph: DeployedGraph) -> dict:
    """The metadata of the file."""
    metadata = export_metadata(graph, config, args.to, args.precision)
    return metadata | {'config': args.config, 'checkpoint': args.checkpoint}


def write_compared(args: Namespace, config: Config, trained: nn.Module) -> dict:
    """Write a file if its output is that of PyTorch, within the bounds: its record."""
    model = deployable(deepcopy(trained))
    images = select_images(config, args.images, 'val', args.num_images or IMAGES[args.precision])
    graph = compared_graph(args, model, images)
    with Console(stderr=True).status('Exporting'):
        exported = in_float = to_format(graph, args.to, args.precision)
    record = {}
    if args.precision == 'int8':
        exported, record = calibrated(args, config, model, in_float)
    with written_if_valid(args.out) as aside:
        with Console(stderr=True).status('Writing'):
            SAVERS[args.to](exported, aside, metadata_of(args, config, graph))
        runtime = load_runtime(aside)
        samples = (at_size(one, args.size) if args.size else one for one in images)
        samples = track(samples, 'Comparing', total=len(images))
        parity = measure_parity(trained, runtime, samples)
        if broken := judge(args, parity):
            few = islice(inputs_of(args, images, model), LAYER_IMAGES)
            errors = layer_errors(in_float, exported, [*few]) if args.precision == 'int8' else {}
            raise SystemExit(refusal(args, broken, errors))
    record |= {'comparison': asdict(parity), 'bounds': asdict(bounds_of(args, parity))}
    return {'engine': runtime.engine, **record, 'metadata': runtime.metadata}


def compared_graph(args: Namespace, model: nn.Module, images: Subset) -> DeployedGraph:
    """The graph to export, for images of the type that the data have."""
    dtype = torch.bfloat16 if (args.to, args.precision) == TORCH_BF16 else torch.float32
    pixels = pixels_as_input(images[0]['inputs']).dtype
    return DeployedGraph(model, args.image_in, args.labels_out, dtype, pixels, args.size).eval()


def calibrated(
    args: Namespace, config: Config, model: nn.Module, in_float: Any
) -> tuple[Any, dict]:
    """A graph in int8, and the record of how it was made."""
    images = select_images(config, args.calibration, 'train', args.num_calibration, SEED)
    quantised = quantise(in_float, inputs_of(args, images, model), args.keep_float)
    return quantised, {'calibration': image_paths(images), 'keep_float': args.keep_float}


def inputs_of(args: Namespace, images: Subset, model: nn.Module) -> ModelInputs:
    """The images as the exported graph takes them."""
    return ModelInputs(images, model.data_preprocessor, args.image_in, args.size)
