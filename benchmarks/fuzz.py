"""Fuzzing of what reads files from elsewhere, by atheris: any error that is not ours is a fault.

Example:
  python benchmarks/fuzz.py --minutes 3 --jobs 3 --out results/reliability/fuzz.json

Each target gets inputs that a coverage-guided fuzzer makes from whole ones, in its own process.
An input at fault is kept in --faults DIR.
"""

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=['segkd_mm']):
    from segkd_mm import json_files
    from segkd_mm.convert import coco, labelme, reading, yolo
    from segkd_mm.results import files, training_log
    from segkd_mm.whole_image import store

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from segkd_mm.convert.annotated import AnnotatedImages
from segkd_mm.datasets.layout import DataLayoutError
from segkd_mm.datasets.mask_values import read_mask
from segkd_mm.datasets.sample_error import SampleError
from segkd_mm.deploy.runtime import _metadata
from segkd_mm.results.speed_accuracy import Score, table_rows
from segkd_mm.weights import WeightsError, read_state_dict

# What a reader may raise: a class of ours, or an error of the system.
OURS = (
    json_files.JsonFileError, store.CacheError, SampleError, DataLayoutError, WeightsError, OSError,
)  # fmt: skip
SHOWN = 3  # faults of a target in the result
SHAPE = {'id': 1, 'image_id': 1, 'category_id': 1, 'segmentation': [[0, 0, 9, 0, 9, 9]]}
RUNS = {**SHAPE, 'segmentation': {'size': [16, 16], 'counts': [200, 56]}, 'iscrowd': 1}
COCO = {
    'images': [{'id': 1, 'file_name': 'a.png', 'height': 16, 'width': 16}],
    'categories': [{'id': 1, 'name': 'a'}], 'annotations': [SHAPE, RUNS],
}  # fmt: skip
LABELME = {
    'imagePath': 'a.png', 'imageHeight': 16, 'imageWidth': 16, 'imageData': None,
    'shapes': [
        {'label': 'a', 'shape_type': 'polygon', 'points': [[0, 0], [9, 0], [9, 9]]},
        {'label': 'b', 'shape_type': 'circle', 'points': [[4, 4], [6, 6]]},
    ],
}  # fmt: skip
INDEX = {
    'made_from': {'stride': 8}, 'loader': 'x', 'confusion': [[0]],
    'taps': {'logits': {'channels': 3, 'packing': 'float16', 'stride': 8}},
    'images': {'a.png': {'shard': 's.safetensors', 'size': [16, 16], 'bytes': 1, 'changed': 1,
                         'sha256': 'x'}},
}  # fmt: skip
RESULT = {
    'dataset': 'A', 'images': 3, 'config': 'a.py', 'seed': 0, 'training': {'seed': 0},
    'metrics': {'mIoU': 50.0, 'aAcc': 90.0}, 'per_class': {'a': 1.0}, 'parameters': 3,
}  # fmt: skip
SCALARS = b'{"iter": 1, "loss": 1.0}\n{"mIoU": 3, "step": 1}\n'
METADATA = {
    'classes': ['a'], 'palette': [[0, 0, 0]], 'mean': [0.0], 'std': [1.0], 'bgr_to_rgb': True,
    'input': 'image', 'input_dtype': 'uint8', 'channels': 3, 'output': 'labels', 'loader': {},
    'precision': 'fp32', 'parameters': 1,
}  # fmt: skip


def drawn(annotations: AnnotatedImages) -> None:
    for image in annotations.images:
        image.draw({name: number for number, name in enumerate(image.names)}, 255)


def cache_index(content: bytes) -> None:
    Path('cache/index.json').write_bytes(content)
    cache = store.TeacherCache('cache')
    cache._names = {name: name for name in cache.index['images']}
    for name in cache.index['images']:
        cache.read(name, (16, 16))


def cache_shard(content: bytes) -> None:
    store._open.cache_clear()
    Path('cache/index.json').write_text(json.dumps(INDEX), encoding='utf-8')
    Path('cache/s.safetensors').write_bytes(content)
    cache = store.TeacherCache('cache')
    cache._names = {'a.png': 'a.png'}
    cache.read('a.png', (16, 16))


def result_file(content: bytes) -> None:
    Path('a.json').write_bytes(content)
    (result,) = files.read_results(['a.json'])
    Score.from_results({Path('a.json'): result})
    if 'models' in result:
        table_rows(result['models'])


def training_scalars(content: bytes) -> None:
    Path('run/1/vis_data/scalars.json').write_bytes(content)
    training_log.read_log('run')


def exported_metadata(content: bytes) -> None:
    _metadata(Path('a.onnx'), content.decode(errors='replace'))


def coco_file(content: bytes) -> None:
    Path('a.json').write_bytes(content)
    drawn(coco.read_coco(Path('a.json'), Path('images').absolute()))


def labelme_file(content: bytes) -> None:
    Path('labelme/a.json').write_bytes(content)
    drawn(labelme.read_labelme(Path('labelme').absolute(), Path('images').absolute()))


def yolo_file(content: bytes) -> None:
    Path('yolo/a.txt').write_bytes(content)
    drawn(yolo.read_yolo(Path('yolo').absolute(), Path('images').absolute(), ['a', 'b']))


def yolo_names(content: bytes) -> None:
    Path('data.yaml').write_bytes(content)
    yolo.read_names(Path('data.yaml'))


def mask_file(content: bytes) -> None:
    read_mask('a.png', content)


def weights_file(content: bytes) -> None:
    Path('a.pth').write_bytes(content)
    read_state_dict('a.pth')


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def shard_seed() -> bytes:
    save_file({'logits:a.png': torch.zeros(3, 2, 2, dtype=torch.half)}, 'seed.safetensors')
    return Path('seed.safetensors').read_bytes()


# By name: the target, and a whole input to begin with.
TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], bytes]]] = {
    'index of a cache': (cache_index, lambda: json.dumps(INDEX).encode()),
    'shard of a cache': (cache_shard, shard_seed),
    'result file': (result_file, lambda: json.dumps(RESULT).encode()),
    'log of a training': (training_scalars, lambda: SCALARS),
    'metadata of an export': (exported_metadata, lambda: json.dumps(METADATA).encode()),
    'COCO': (coco_file, lambda: json.dumps(COCO).encode()),
    'labelme': (labelme_file, lambda: json.dumps(LABELME).encode()),
    'YOLO': (yolo_file, lambda: b'0 0.1 0.1 0.9 0.1 0.9 0.9\n'),
    'YOLO names': (yolo_names, lambda: b'names:\n  0: a\n  1: b\n'),
    'mask': (mask_file, lambda: saved(lambda f: Image.new('P', (9, 9)).save(f, 'PNG'))),
    'weights': (weights_file, lambda: saved(lambda f: torch.save({'a': torch.ones(2)}, f))),
}  # fmt: skip
assert reading  # instrumented, as what reads JSON annotations


def prepare() -> None:
    """Write what the targets need in the working folder."""
    for folder in ('cache', 'images', 'labelme', 'yolo', 'run/1/vis_data', 'corpus', 'faults'):
        Path(folder).mkdir(parents=True)
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save('images/a.png')


def fuzz(name: str, seconds: int) -> None:
    """Fuzz a target in this process, which the fuzzer ends; faults go to files."""
    target, seed = TARGETS[name]
    logging.disable()
    seen: dict[str, int] = {}
    count, start = 0, time.process_time()

    def one(content: bytes) -> None:
        nonlocal count
        count += 1
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                target(content)
        except OURS:
            pass
        except Exception as error:
            _keep(seen, content, error)
        if time.process_time() - start > seconds:
            Path('done.json').write_text(
                json.dumps({'inputs': count, 'faults': seen}), encoding='utf-8'
            )
            os._exit(0)

    Path('corpus/seed').write_bytes(seed())
    words = ['fuzz', 'corpus', '-timeout=20', '-rss_limit_mb=4096', '-max_len=4096', '-verbosity=0']
    atheris.Setup(words, one)
    atheris.Fuzz()


def _keep(seen: dict[str, int], content: bytes, error: Exception) -> None:
    """Count a fault by where it occurred; the first input of each is kept."""
    trace = error.__traceback__
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f'{Path(code.co_filename).name}:{trace.tb_lineno}')
        trace = trace.tb_next
    own = [place for place in places if not place.startswith('fuzz.py')]
    key = f'{type(error).__name__} at {" > ".join(own[:3])}: {str(error)[:80]}'
    if key.partition(': ')[0] not in {one.partition(': ')[0] for one in seen}:
        Path(f'faults/{len(seen)}').write_bytes(content)
        seen[key] = 0
    for one in seen:
        seen[one] += one.partition(': ')[0] == key.partition(': ')[0]


def run(name: str, seconds: int, faults: Path) -> dict:
    """Fuzz a target in a process of its own; gives a row of the result."""
    with TemporaryDirectory() as folder:
        script = os.path.abspath(__file__)
        words = [sys.executable, script, '--target', name, '--seconds', str(seconds)]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        report = Path(folder, 'done.json')
        if not report.is_file():  # such as a crash of the interpreter or too much memory
            found = {'inputs': None, 'faults': {f'ended by itself: {done.stderr[-300:]}': 1}}
        else:
            found = json.loads(report.read_text(encoding='utf-8'))
        for file in Path(folder, 'faults').glob('*') if found['faults'] else ():
            faults.mkdir(parents=True, exist_ok=True)
            (faults / f'{name.replace(" ", "_")}_{file.name}').write_bytes(file.read_bytes())
    return {'target': name, 'seconds': seconds, **found}


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=3, help='of CPU for each target')
    parser.add_argument('--targets', nargs='+', choices=TARGETS, default=[*TARGETS])
    parser.add_argument('--jobs', type=int, default=1, help='targets at once')
    parser.add_argument('--faults', type=Path, default='work_dirs/fuzz')
    parser.add_argument('--out', default='work_dirs/fuzz.json', metavar='JSON')
    parser.add_argument('--target', choices=TARGETS, help='of this process (internal)')
    parser.add_argument('--seconds', type=int, default=10)
    args = parser.parse_args()
    if args.target:
        prepare()
        fuzz(args.target, args.seconds)
    from segkd_mm.results.files import write_result

    rows: list[dict] = []
    with ThreadPoolExecutor(args.jobs) as pool:
        seconds, faults = int(60 * args.minutes), args.faults
        for row in pool.map(lambda name: run(name, seconds, faults), args.targets):
            print(row, flush=True)
            rows.append(row)  # what is done is kept when the others are stopped
            write_result(args.out, {'jobs': args.jobs, 'targets': rows, 'table': table_of(rows)})


def table_of(rows: list[dict]) -> list[dict]:
    """Rows of the page."""
    return [
        {
            'what is read': row['target'], 'inputs': row['inputs'],
            'errors that are not ours': len(row['faults']),
        }
        for row in rows
    ]  # fmt: skip


if __name__ == '__main__':
    main()
