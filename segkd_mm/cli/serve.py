"""Serve an exported student over HTTP."""

import signal
import socket
from argparse import Namespace
from contextlib import suppress
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from segkd_mm.commands import command
from segkd_mm.deploy import load
from segkd_mm.formats import endings, is_exported_model
from segkd_mm.libraries import import_library
from segkd_mm.ports import port_errors
from segkd_mm.serve import EXTRA
from segkd_mm.serve.app import create_app
from segkd_mm.serve.labeller import warm_up
from segkd_mm.serve.limits import Limits

if TYPE_CHECKING:
    from fastapi import FastAPI


def run(args: Namespace) -> None:
    """Run the command."""
    limits = Limits(args.max_bytes, args.max_pixels, args.seconds, args.queue)
    app = ready_app(args.file, limits)
    with listening(args.host, args.port) as listener:
        host, port = listener.getsockname()[:2]
        url = f'http://{f"[{host}]" if ":" in host else host}:{port}'
        print(f'{args.file}: ready at {url} until Ctrl-C or SIGTERM. Try it:')
        print(f'  curl --data-binary @image.jpg {url}/predict -o labels.png', flush=True)
        serve(app, listener, limits)
    print('Stopped.')


def ready_app(file: Path, limits: Limits) -> 'FastAPI':
    """The app of an exported file, which has predicted an image.

    Raises:
        FileNotFoundError, ImportError, ValueError: As of :func:`segkd_mm.deploy.load_runtime`.
    """
    if not is_exported_model(file):
        raise ValueError(
            f'{file}: expected a file of `{command("export")}`, whose name ends in {endings()}.'
        )
    torch.set_num_threads(1)  # as the runtime: several services share a machine
    predictor = load(file)
    warm_up(predictor)
    return create_app(predictor, limits)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: The port is in use or not allowed, or the address is none of this machine.
    """
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    with port_errors(host, port):
        listener = socket.create_server((host, port), family=family)
    # Connections inherit it, and answers do not wait 40 ms for an acknowledgement of their head:
    # asyncio sets it only for sockets whose protocol is given, which `create_server` does not do.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(app: 'FastAPI', listener: socket.socket, limits: Limits) -> None:
    """Answer requests until Ctrl-C or SIGTERM, and then those that are there."""
    uvicorn = import_library('uvicorn', EXTRA)
    config = uvicorn.Config(
        app, log_level='warning', timeout_graceful_shutdown=ceil(limits.seconds)
    )
    # uvicorn answers what is there, and then raises the signal again.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
