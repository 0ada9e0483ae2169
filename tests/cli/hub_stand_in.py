"""A local stand-in of the Hugging Face hub's API: one repository is made, filled and read."""

import json
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

COMMIT = '0' * 39 + '1'


class Hub(ThreadingHTTPServer):
    """The server; ``files`` has the bytes of the repository, ``refuses`` a status for answers."""

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.address = f'http://127.0.0.1:{self.server_port}'
        self.files: dict[str, bytes] = {}
        self.created: list[dict] = []
        self.refuses: int | None = None


class Handler(BaseHTTPRequestHandler):
    """The few routes that creation, upload and download of a repository take."""

    protocol_version = 'HTTP/1.1'

    def log_message(self, *_args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        if self.path == '/api/repos/create':
            self.create(json.loads(body))
        elif '/preupload/' in self.path:
            names = [file['path'] for file in json.loads(body)['files']]
            modes = [dict(path=n, uploadMode='regular', shouldIgnore=False) for n in names]
            self.answer(dict(files=modes))
        elif '/commit/' in self.path:
            self.commit(body)
        else:  # /api/validate-yaml
            self.answer(dict(errors=[], warnings=[]))

    def create(self, wanted):
        if self.server.refuses:
            return self.answer(dict(error='no'), status=self.server.refuses)
        self.server.created.append(wanted)
        self.answer(dict(url=f'{self.server.address}/me/model', name='me/model'))

    def commit(self, body):
        for line in map(json.loads, body.splitlines()):
            if line['key'] == 'file':
                file = line['value']
                self.server.files[file['path']] = b64decode(file['content'])
        url = f'{self.server.address}/me/model/commit/{COMMIT}'
        self.answer(dict(commitUrl=url, commitOid=COMMIT, pullRequestUrl=None))

    def do_GET(self):
        if self.server.refuses:
            return self.answer(dict(error='no'), status=self.server.refuses)
        if '/tree/' in self.path:
            sizes = {name: len(content) for name, content in self.server.files.items()}
            files = [dict(type='file', path=n, size=s, oid='0') for n, s in sizes.items()]
            return self.answer(files)
        if self.path.startswith('/api/models/'):
            siblings = [dict(rfilename=name) for name in self.server.files]
            return self.answer(dict(id='me/model', sha=COMMIT, siblings=siblings))
        content = self.server.files[self.path.rpartition('/')[2]]
        headers = {'X-Repo-Commit': COMMIT, 'ETag': f'"{sha1(content).hexdigest()}"'}
        self.send(content, headers)

    do_HEAD = do_GET

    def answer(self, content, status=200):
        self.send(json.dumps(content).encode(), {'Content-Type': 'application/json'}, status)

    def send(self, content, headers, status=200):
        self.send_response(status)
        for key, value in {**headers, 'Content-Length': str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(content)


@contextmanager
def hub_stand_in() -> Iterator[Hub]:
    """Yields a running hub."""
    with Hub() as hub:
        Thread(target=hub.serve_forever, args=(0.01,), daemon=True).start()
        yield hub
        hub.shutdown()
