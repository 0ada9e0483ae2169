"""What a service takes: of an image its bytes and pixels, of requests their seconds and number."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits of a service.

    Attributes:
        max_bytes: Of the body of a request.
        max_pixels: Height times width of an image.
        seconds: From the first line of a request to its answer.
        places: Requests in progress at a time.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 10_000_000
    seconds: float = 30.0
    places: int = 64
