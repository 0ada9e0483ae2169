"""Show an exported student in the browser, on images or the camera."""

import signal
from argparse import Namespace
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from segkd_mm.deploy.demo import build_demo, demo_server
from segkd_mm.deploy.demo.browser_runtime import runtime_archive
from segkd_mm.deploy.demo.folder import describe
from segkd_mm.deploy.images import find_images


def run(args: Namespace) -> None:
    """Run the command."""
    describe(args.file)  # before a download
    images = find_images(args.images) if args.images else []
    archive = runtime_archive(args.runtime)
    if args.out:
        build_demo(args.file, archive, args.out, images)
        print(f'Demo: {args.out}; show it by any web server')
        return
    with TemporaryDirectory(prefix='segkd-demo-') as temporary:
        folder = Path(temporary, 'demo')
        build_demo(args.file, archive, folder, images)
        serve(folder, args.port)


def serve(folder: Path, port: int) -> None:
    """Serve a folder until Ctrl-C, or SIGTERM, which would leave a temporary folder."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with demo_server(folder, port) as server, suppress(KeyboardInterrupt):
        print(f'Demo: http://localhost:{server.server_port} (Ctrl-C stops it)', flush=True)
        server.serve_forever()
