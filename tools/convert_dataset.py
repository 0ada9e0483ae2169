"""Convert annotations (COCO, labelme, YOLO, VOC, Cityscapes) to folders of images and masks."""

from segkd_mm.cli.convert_dataset import main

if __name__ == '__main__':
    main()
