"""Conversion of annotations (COCO, labelme, YOLO, VOC, Cityscapes) to folders of images and masks.

A module a format reads and checks the annotations; what all have in common is drawn by ``drawing``
and written by ``writing`` in the layout that ``FolderDataset`` reads.
"""
