"""Convert annotations (COCO, labelme, YOLO, VOC, Cityscapes) to folders of images and masks."""

import sys

from segkd_mm.cli.main import tool

if __name__ == '__main__':
    sys.exit(tool('convert'))
