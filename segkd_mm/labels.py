"""Ids in masks that are no class."""

VOID = 255
"""Void, padding and whatever else counts nowhere."""

UNLABELLED = 254
"""A pixel of an image without labels: it counts for distillation, which needs none."""
