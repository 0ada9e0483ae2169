"""Latency of re-parameterisable trunks as they train and as they are deployed, side by side.

Example:
  python benchmarks/fused_trunks.py --out results/benchmark/fused_trunks.json
"""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn

from segkd_mm.backbones.timm_taps import TimmTapBackbone
from segkd_mm.deploy.loading import deployable
from segkd_mm.measure.inference import inference
from segkd_mm.measure.latency import measure_latency
from segkd_mm.measure.model_cost import count_parameters
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console

TRUNKS = ('repvit_m1_0', 'mobileone_s0', 'fastvit_t8', 'repghostnet_100')


def parse_args() -> Namespace:
    """The arguments of the command."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('--trunks', nargs='+', default=TRUNKS, help='names of timm models')
    parser.add_argument('--size', nargs=2, type=int, default=(512, 512), metavar=('H', 'W'))
    parser.add_argument('--repeats', type=int, default=20, help='default: %(default)s')
    parser.add_argument('--out', type=Path, required=True, help='the result file')
    return parser.parse_args()


def forms(name: str) -> dict[str, nn.Module]:
    """A trunk as it trains and as it is deployed, with the same weights."""
    trained = TimmTapBackbone(name).eval()
    return {'trained': trained, 'deployed': deployable(nn.Sequential(deepcopy(trained)))[0]}


def row(name: str, image: torch.Tensor, repeats: int) -> dict:
    """Parameters and median latencies of a trunk; the largest relative difference of a feature."""
    models = forms(name)
    with inference():
        trained, deployed = (model(image)[-1] for model in models.values())
    ms = {form: one.median_ms for form, one in measure_latency(models, image, 3, repeats).items()}
    return {
        'trunk': name,
        **{f'parameters {form}': count_parameters(model) for form, model in models.items()},
        **{f'ms {form}': value for form, value in ms.items()},
        'ratio': ms['trained'] / ms['deployed'],
        'difference': ((deployed - trained).abs().max() / trained.abs().max()).item(),
    }


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    torch.set_num_threads(1)
    image = torch.randn(1, 3, *args.size)
    rows = [row(name, image, args.repeats) for name in args.trunks]
    write_result(args.out, {'size': list(args.size), 'table': rows})
    wide_console().print(console_table(rows, title='Features, one thread'))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
