"""Convert annotations (COCO, labelme, YOLO, VOC, Cityscapes) to folders of images and masks."""

import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from segkd_mm.commands import command
from segkd_mm.convert.annotated import AnnotatedImages, class_list
from segkd_mm.convert.cityscapes import read_cityscapes
from segkd_mm.convert.coco import read_coco
from segkd_mm.convert.labelme import read_labelme
from segkd_mm.convert.voc import read_voc
from segkd_mm.convert.writing import IMAGES, MASKS, SHEET, check_empty, write_folder
from segkd_mm.convert.yolo import read_names, read_yolo
from segkd_mm.datasets.folder_source import folder_lines
from segkd_mm.results.tables import console_table, wide_console


def read(args: Namespace) -> AnnotatedImages:
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


def run(args: Namespace) -> None:
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
    args: Namespace,
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
    return f'{command("new")} {shlex.join(map(str, folders))}'


def config_lines(out: Path, classes: Sequence[str]) -> str:
    """The ``FolderDataset`` of what was written, to paste into a config."""
    seed = None if (out / IMAGES / 'train').is_dir() else 0
    return '\n'.join(folder_lines(str(out / IMAGES), str(out / MASKS), classes, seed=seed))
