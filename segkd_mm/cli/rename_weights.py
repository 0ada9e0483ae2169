"""Rename the keys of weights from another code base to those of a model here."""

import os
from argparse import Namespace

import torch
from mmengine.registry import init_default_scope
from mmseg.registry import MODELS

from segkd_mm.commands import command
from segkd_mm.config import load_config, plain_student
from segkd_mm.files import written_aside
from segkd_mm.weights import load_strictly, read_state_dict, rename_keys


def run(args: Namespace) -> None:
    """Run the command."""
    config = plain_student(load_config(args.config))
    init_default_scope(config.get('default_scope', 'mmseg'))
    model = MODELS.build(config.model)
    state = rename_keys(read_state_dict(args.source), dict(args.names), args.source)
    load_strictly(model, state, args.source)
    with written_aside(args.out) as aside:
        torch.save(model.state_dict(), aside)
    size = os.path.getsize(args.out) / 2**20
    print(
        f'{len(state)} tensors in {args.out} ({size:.1f} MiB), which fit {args.config}.\n'
        f'Test it:   {command("test")} {args.config} {args.out}'
    )
