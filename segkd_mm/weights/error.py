"""The error of weights that cannot be used."""


class WeightsError(ValueError):
    """A file of weights that is absent, unsafe, or does not fit its module."""
