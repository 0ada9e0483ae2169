"""A web server for the folder of a demo, on this machine alone."""

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from segkd_mm.ports import port_errors

HOST = '127.0.0.1'


class DemoHandler(SimpleHTTPRequestHandler):
    """Serves files, with the headers that let WebAssembly use several threads."""

    # Not as the system says: some Windows take .js for text, which a browser does not run.
    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        '.js': 'text/javascript',
        '.mjs': 'text/javascript',
        '.wasm': 'application/wasm',
    }

    def end_headers(self) -> None:
        """Isolate the page; have nothing kept, as the next demo may have this address."""
        self.send_header('Cross-Origin-Opener-Policy', 'same-origin')
        self.send_header('Cross-Origin-Embedder-Policy', 'require-corp')
        self.send_header('Cache-Control', 'no-store')
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Print no line for each request."""


class DemoServer(ThreadingHTTPServer):
    """A server to which it is no error that a browser breaks a connection off."""

    def handle_error(self, *request: object) -> None:
        """Print what went wrong in a request."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*request)


def demo_server(folder: Path, port: int, handler: type[DemoHandler] = DemoHandler) -> DemoServer:
    """A server of a folder, which listens at once; ``serve_forever`` answers.

    Args:
        folder: The folder.
        port: 0 for any that is free.
        handler: Of the requests.

    Raises:
        OSError: The port is in use, or not allowed.
    """
    with port_errors(HOST, port):
        return DemoServer((HOST, port), partial(handler, directory=str(folder)))
