"""Ids in masks that are not classes: void and unlabelled."""

VOID = 255
"""Ignore index: void pixels and padding, which no loss or metric counts."""

UNLABELLED = 254
"""Pixel of an unlabelled image: ignored by losses on labels, counted by distillation."""
