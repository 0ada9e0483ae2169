"""The folder of a demo: page, exported file, what the page must know of it, runtime, examples."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from segkd_mm.commands import command
from segkd_mm.deploy.demo.browser_runtime import FILES, unpack_runtime
from segkd_mm.deploy.image_steps import known_resize
from segkd_mm.deploy.runtime import load_runtime
from segkd_mm.files import folder_aside
from segkd_mm.normalisation import CHANNELS

PAGE = Path(__file__).with_name('page')
MODEL, DESCRIPTION, RUNTIME, EXAMPLES = 'model.onnx', 'demo.json', 'runtime', 'examples'
# Of the metadata of a file (see ``Runtime.metadata``).
KEYS = (
    'classes', 'palette', 'mean', 'std', 'bgr_to_rgb', 'test_cfg', 'input', 'output',
    'align_corners', 'precision',
)  # fmt: skip


def build_demo(file: Path, archive: Path, out: Path, images: Sequence[Path] = ()) -> None:
    """Build the folder of a demo, which any static web server can show.

    Args:
        file: An .onnx file of tools/export.py.
        archive: Of :func:`segkd_mm.deploy.demo.browser_runtime.runtime_archive`.
        out: The folder; it must not exist, or be empty.
        images: Examples that the page shows.

    Raises:
        FileExistsError: The folder holds files.
        FileNotFoundError: The file does not exist.
        ValueError: It is no .onnx file of tools/export.py, or does not take colour
            images of any size.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f'{out} exists already: give --out another folder, or remove it.')
    description = describe(file)
    with folder_aside(out) as folder:
        shutil.copytree(PAGE, folder, dirs_exist_ok=True)
        shutil.copyfile(file, folder / MODEL)
        (folder / RUNTIME).mkdir()
        unpack_runtime(archive, folder / RUNTIME)
        description['examples'] = _copy(images, folder / EXAMPLES)
        (folder / DESCRIPTION).write_text(json.dumps(description))


def describe(file: Path) -> dict:
    """What the page must know of an exported file.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is no .onnx file of tools/export.py, or does not take colour
            images of any size.
    """
    if file.suffix != '.onnx':
        raise ValueError(
            f'{file}: the demo runs .onnx files alone; expected one of '
            f'`{command("export")} CONFIG CHECKPOINT --to onnx`.'
        )
    runtime = load_runtime(file)
    metadata = runtime.metadata
    loader = metadata.get('loader', {'type': 'LoadImageFromFile'})  # not in older files
    if runtime.channels != CHANNELS or loader['type'] != 'LoadImageFromFile':
        raise ValueError(
            f'{file} takes images of {runtime.channels} channels, loaded by {loader["type"]}; the '
            f'demo has colour images of {CHANNELS}, as LoadImageFromFile loads them.'
        )
    if metadata.get('size'):
        height, width = metadata['size']
        raise ValueError(
            f'{file} takes images of {height} x {width} alone, and the demo those of any size: '
            'export it without --size.'
        )
    default = 'uint8' if metadata['input'] == 'image' else 'float32'
    return {
        'name': file.name,
        'input_dtype': metadata.get('input_dtype', default),
        'turn_by_exif': loader.get('color_type', 'color') == 'color',
        'resize': known_resize(metadata.get('resize')),
        'runtime': FILES[0],
        **{key: metadata[key] for key in KEYS},
    }


def _copy(images: Sequence[Path], folder: Path) -> list[dict]:
    """Copy images under names that need no quoting; give the names and where they lie."""
    folder.mkdir()
    copied = []
    for number, image in enumerate(images):
        target = folder / f'{number}{image.suffix.lower()}'
        shutil.copyfile(image, target)
        copied.append({'name': image.name, 'file': f'{folder.name}/{target.name}'})
    return copied
