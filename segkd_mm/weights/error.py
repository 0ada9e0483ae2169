"""Error class of weights."""


class WeightsError(ValueError):
    """Error of a weights file that is missing, unsafe, or does not fit its module."""
