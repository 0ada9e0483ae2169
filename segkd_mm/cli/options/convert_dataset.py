"""Convert annotations (COCO, labelme, YOLO, VOC, Cityscapes) to folders of images and masks.

Examples:
  segkd convert coco --annotations instances.json --images images/ --out data/mine
  segkd convert labelme --annotations labelled/ --out data/mine --classes road car
  segkd convert yolo --annotations labels/ --images images/ --names data.yaml \\
      --out data/mine
  segkd convert voc --annotations SegmentationClass/ --images JPEGImages/ \\
      --classes background cat dog --out data/mine
  segkd convert cityscapes --annotations gtFine/train --images leftImg8bit/train \\
      --out data/mine

DIR of --out gets images/, masks/ (PNG of class ids, 255 is void), classes.json, and
contact_sheet.png to look at. FolderDataset reads it as it is. Pixels without annotation are the
class 'background', and void in Cityscapes. Where annotations overlap, the smaller one is on top; in
Cityscapes the later one in the file. docs/your_data.md has more.
"""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

FORMATS = ('coco', 'labelme', 'yolo', 'voc', 'cityscapes')


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments of the command."""
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
    parser.set_defaults(finish=finish)


def _path(word: str) -> Path:
    return Path(os.path.abspath(word))


def finish(args: Namespace, error: Callable[[str], None]) -> None:
    """Refuse what does not go together; fill in what depends on other arguments."""
    for option, format in (('names', 'yolo'), ('all_labels', 'cityscapes')):
        if getattr(args, option) and args.format != format:
            error(f'--{option.replace("_", "-")} goes with {format}, not {args.format}')
    if args.format == 'voc' and args.unlabelled:
        error("voc masks say what each pixel is; name an id 'void' in --classes instead")
    if args.format == 'voc' and not args.classes:
        from segkd_mm.convert.voc import VOC_CLASSES  # imports OpenCV

        error(f'voc masks hold no names; for VOC 2012 they are --classes {VOC_CLASSES}')
    if args.format == 'yolo' and not (args.names or args.classes):
        error('YOLO labels hold no names: give --names data.yaml, or all with --classes')
    if not args.images:
        args.images = args.annotations if args.annotations.is_dir() else args.annotations.parent
