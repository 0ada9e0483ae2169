"""Convert annotations (COCO, labelme, YOLO, VOC, Cityscapes) to folders of images and masks.

Examples:
  tools/convert_dataset.py coco --annotations instances.json --images images/ --out data/mine
  tools/convert_dataset.py labelme --annotations labelled/ --out data/mine --classes road car
  tools/convert_dataset.py yolo --annotations labels/ --images images/ --names data.yaml \\
      --out data/mine
  tools/convert_dataset.py voc --annotations SegmentationClass/ --images JPEGImages/ \\
      --classes background cat dog --out data/mine
  tools/convert_dataset.py cityscapes --annotations gtFine/train --images leftImg8bit/train \\
      --out data/mine

DIR of --out gets images/, masks/ (PNG of class ids, 255 is void), classes.json, and
contact_sheet.png to look at. FolderDataset reads it as it is. Pixels without annotation are the
class 'background', and void in Cityscapes. Where annotations overlap, the smaller one is on top; in
Cityscapes the later one in the file. docs/your_data.md has more.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from segkd_mm.build_hints import build_hints
from segkd_mm.cli import arguments
from segkd_mm.convert.annotated import AnnotatedImages, class_list
from segkd_mm.convert.cityscapes import read_cityscapes
from segkd_mm.convert.coco import read_coco
from segkd_mm.convert.labelme import read_labelme
from segkd_mm.convert.voc import VOC_CLASSES, read_voc
from segkd_mm.convert.writing import IMAGES, MASKS, SHEET, check_empty, write_folder
from segkd_mm.convert.yolo import read_names, read_yolo
from segkd_mm.datasets.folder_source import folder_lines
from segkd_mm.results.tables import console_table, wide_console

FORMATS = ('coco', 'labelme', 'yolo', 'voc', 'cityscapes')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = arguments.parser(__doc__)
    parser.add_argument('format', choices=FORMATS, help='of the annotations')
    parser.add_argument(
        '--annotations', type=_path, required=True, metavar='PATH',
        help='the JSON file of coco, or the folder of annotation files',
    )  # fmt: skip
    parser.add_argument(
        '--images', type=_path, metavar='DIR', help='default: beside the annotations'
    )
    parser.add_argument(
        '--out', type=_path, required=True, metavar='DIR', help='a new or empty folder'
    )
    parser.add_argument(
        '--classes', nargs='+', metavar='NAME',
        help='the classes to keep, in the order of their ids (default: all); other annotations '
        'count like pixels without annotation. For voc, and for yolo without --names: the names '
        'of all ids in the annotations, from 0',
    )  # fmt: skip
    parser.add_argument('--names', type=Path, metavar='FILE', help='yolo: the data.yaml')
    parser.add_argument(
        '--all-labels', action='store_true',
        help='cityscapes: all labels in place of the 19 that are evaluated',
    )  # fmt: skip
    parser.add_argument(
        '--unlabelled', metavar='NAME',
        help="the class of pixels without annotation, or 'void', which counts neither in training "
        "nor in testing (default: background; void for cityscapes)",
    )  # fmt: skip
    parser.add_argument(
        '--link', action='store_true', help='link the images in place of copying them'
    )
    args = parser.parse_args()
    _check_args(parser, args)
    return args


def _path(word: str) -> Path:
    return Path(os.path.abspath(word))


def _check_args(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    for option, format in (('names', 'yolo'), ('all_labels', 'cityscapes')):
        if getattr(args, option) and args.format != format:
            parser.error(f'--{option.replace("_", "-")} goes with {format}, not {args.format}')
    if args.format == 'voc' and args.unlabelled:
        parser.error("voc masks say what each pixel is; name an id 'void' in --classes instead")
    if args.format == 'voc' and not args.classes:
        parser.error(f'voc masks hold no names; for VOC 2012 they are --classes {VOC_CLASSES}')
    if args.format == 'yolo' and not (args.names or args.classes):
        parser.error('YOLO labels hold no names: give --names data.yaml, or all with --classes')
    if not args.images:
        args.images = args.annotations if args.annotations.is_dir() else args.annotations.parent


def read(args: argparse.Namespace) -> AnnotatedImages:
    """Read the annotations of the given format."""
    places = args.annotations, args.images
    if args.format == 'coco':
        return read_coco(*places)
    if args.format == 'labelme':
        return read_labelme(*places)
    if args.format == 'yolo':
        return read_yolo(*places, read_names(args.names) if args.names else args.classes)
    if args.format == 'voc':
        return read_voc(*places, args.classes)
    return read_cityscapes(*places, args.all_labels)


def convert(args: argparse.Namespace) -> None:
    """Read, write, and report what was written."""
    check_empty(args.out)
    found = read(args)
    unlabelled = args.unlabelled or found.unlabelled
    # There --classes are the names of the ids that the annotations hold.
    names_all = args.format == 'voc' or (args.format == 'yolo' and not args.names)
    classes = class_list(found, None if names_all else args.classes, unlabelled)
    rows = write_folder(args.out, found.images, classes, unlabelled, args.link)
    report(args, found, classes, unlabelled, rows)


def report(
    args: argparse.Namespace,
    found: AnnotatedImages,
    classes: Sequence[str],
    unlabelled: str,
    rows: Sequence[dict],
) -> None:
    """Print what was made, what to look at, and what to run next."""
    wide_console().print(console_table(rows))
    if found.overlaps:
        print(f'Where annotations overlap, {found.overlaps} is on top.')
        print(f'Pixels without annotation: {unlabelled}.')
    empty = [row['class'] for row in rows if not row['images']]
    if empty:
        print(f'Without a pixel: {", ".join(empty)}. Nothing can learn them.')
    for note in found.notes:
        print(note)
    print(
        f'\n{len(found.images)} images and masks: {args.out}\n'
        f'Look at {args.out / SHEET} first.\n'
        f'Next: {new_experiment(args.out)}\n'
        'Or paste these lines into a config of your own, as docs/your_data.md shows:\n\n'
        f'{config_lines(args.out, classes)}'
    )


def new_experiment(out: Path) -> str:
    """The command for an experiment on what was written; the names are in its classes.json."""
    folders = ['--images', out / IMAGES, '--masks', out / MASKS, '--out', 'my_experiment.py']
    return shlex.join(['python', 'tools/new_experiment.py', *map(str, folders)])


def config_lines(out: Path, classes: Sequence[str]) -> str:
    """The ``FolderDataset`` of what was written, to paste into a config."""
    seed = None if (out / IMAGES / 'train').is_dir() else 0
    return '\n'.join(folder_lines(str(out / IMAGES), str(out / MASKS), classes, seed=seed))


@build_hints()
def main() -> None:
    """Run the command line."""
    args = parse_args()
    try:
        convert(args)
    except (ValueError, OSError) as error:
        sys.exit(f'Error: {error}')
