"""Load of `segkd serve`: label maps per second and waiting times with several clients at a time.

Example:
  python benchmarks/serve.py --out results/benchmark/serve.json

For each student and runtime a service is started as a process of its own. Each client sends one
JPEG over the loopback, waits for its label map, and sends it again. Clients and service share the
machine. `predict ms` is the median of `segkd_mm.load(FILE).predict(IMAGE)` in one process, without
a service. Weights are random, as many as 19 classes.
"""

import re
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from time import perf_counter

import cv2
import numpy as np
import torch

import segkd_mm
from segkd_mm.datasets.shapes_scene import SceneStyle, draw_scene
from segkd_mm.deploy.export import SAVERS, to_format
from segkd_mm.deploy.graph import DeployedGraph
from segkd_mm.formats import SUFFIXES
from segkd_mm.measure.candidate import build_deployed
from segkd_mm.results.files import write_result
from segkd_mm.results.tables import console_table, wide_console
from segkd_mm.scaffold.fitting_student import student_model

CLASSES = 19
RUNTIMES = 'openvino', 'onnx'
HOST = '127.0.0.1'
PREDICTIONS = 20  # of one process, without a service
OK = 200


def parse_args() -> Namespace:
    """The arguments of the command."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('--students', nargs='+', default=['mnv3s_nano'], metavar='NAME')
    parser.add_argument('--runtimes', nargs='+', default=RUNTIMES, choices=RUNTIMES)
    parser.add_argument('--clients', nargs='+', type=int, default=[1, 8, 64], metavar='N')
    parser.add_argument('--size', type=int, default=512, help='side of the image, in pixels')
    parser.add_argument(
        '--seconds', type=float, default=30.0, help='of each row (default: %(default)s)'
    )
    parser.add_argument('--out', type=Path, required=True, help='the result file')
    return parser.parse_args()


def export(student: str, runtime: str, folder: Path) -> Path:
    """A student with random weights as a file of a runtime."""
    torch.manual_seed(0)
    graph = DeployedGraph(build_deployed(student_model(student, CLASSES), torch.device('cpu')))
    names = {
        'classes': [f'class {index}' for index in range(CLASSES)],
        'palette': [[index] * 3 for index in range(CLASSES)],
    }
    file = folder / f'{student}{SUFFIXES[runtime]}'
    metadata = {**graph.describe(), **names, 'precision': 'fp32'}
    SAVERS[runtime](to_format(graph.eval(), runtime), file, metadata)
    return file


def predict_ms(file: Path, image: Path) -> float:
    """Median time of a label map in this process."""
    predictor, seconds = segkd_mm.load(file), []
    for _ in range(PREDICTIONS):
        start = perf_counter()
        predictor.predict(image)
        seconds.append(perf_counter() - start)
    return 1000 * float(np.median(seconds))


@contextmanager
def service(file: Path) -> Iterator[int]:
    """A service of a file as a process: its port."""
    command = [sys.executable, '-m', 'segkd_mm', 'serve', str(file), '--host', HOST, '--port', '0']
    with Popen(command, stdout=PIPE, text=True) as process:
        try:
            ports = (re.search(rf'ready at http://{HOST}:(\d+)', line) for line in process.stdout)
            yield int(next(port for port in ports if port)[1])
        finally:
            process.terminate()


def send(port: int, body: bytes, stop: float) -> list[tuple[int, float]]:
    """Status and seconds of each request of a client until a time of ``perf_counter``."""
    connection, answers = HTTPConnection(HOST, port), []
    while (start := perf_counter()) < stop:
        try:
            connection.request('POST', '/predict', body)
            response = connection.getresponse()
            response.read()
            status = response.status
        except (HTTPException, OSError):
            connection.close()  # the next request opens it again
            status = 0
        answers.append((status, perf_counter() - start))
    return answers


def load_row(port: int, body: bytes, clients: int, seconds: float) -> dict:
    """What a number of clients got."""
    send(port, body, perf_counter() + 1)  # memory for images of this size
    start = perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        sent = [pool.submit(send, port, body, start + seconds) for _ in range(clients)]
    answers = [answer for one in sent for answer in one.result()]
    taken, times = perf_counter() - start, [time for status, time in answers if status == OK]
    p50, p99 = np.quantile(times or [np.nan], [0.5, 0.99]).tolist()
    return {
        'clients': clients, 'images/s': len(times) / taken, 'p50 ms': 1000 * p50,
        'p99 ms': 1000 * p99, 'requests': len(answers), 'errors': len(answers) - len(times),
    }  # fmt: skip


def rows(args: Namespace, folder: Path) -> Iterator[dict]:
    """One row a student, runtime and number of clients."""
    image = folder / 'image.jpg'
    scene, _ = draw_scene(np.random.default_rng(0), SceneStyle(size=args.size))
    cv2.imwrite(str(image), scene)
    for student in args.students:
        for runtime in args.runtimes:
            file = export(student, runtime, folder)
            facts = {'student': student, 'runtime': runtime, 'predict ms': predict_ms(file, image)}
            with service(file) as port:
                for clients in args.clients:
                    yield facts | load_row(port, image.read_bytes(), clients, args.seconds)


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        table = list(rows(args, Path(folder)))
    write_result(args.out, {'size': args.size, 'seconds': args.seconds, 'table': table})
    wide_console().print(console_table(table, title='segkd serve'))
    print(f'Result: {args.out}')


if __name__ == '__main__':
    main()
