"""Indices that lie evenly over a sequence."""


def evenly_spaced(length: int, count: int) -> list[int]:
    """Up to ``count`` evenly spaced indices below ``length``."""
    step = max(length / count, 1)
    return [int(step * index) for index in range(min(length, count))]
