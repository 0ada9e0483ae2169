"""What a service counts, as Prometheus reads it."""

from collections.abc import Callable

from segkd_mm.libraries import import_library
from segkd_mm.serve import EXTRA

SECONDS = 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30  # upper ends of the histogram


class Metrics:
    """Requests to /predict: their number by status, their time, and those in progress.

    Args:
        length: Gives the number of those in progress.

    Raises:
        ImportError: prometheus-client is not installed.
    """

    def __init__(self, length: Callable[[], int]) -> None:
        self._library = library = import_library('prometheus_client', EXTRA)
        self._registry = registry = library.CollectorRegistry()
        self._requests = library.Counter(
            'segkd_requests', 'Requests to /predict.', ['status'], registry=registry
        )
        self._seconds = library.Histogram(
            'segkd_request_seconds', 'Seconds of a label map, from request to answer.',
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        queue = library.Gauge('segkd_queue_length', 'Requests in progress.', registry=registry)
        queue.set_function(length)

    def record(self, status: int, seconds: float) -> None:
        """Count an answer; of a label map its time, too."""
        self._requests.labels(status).inc()
        if status == 200:
            self._seconds.observe(seconds)

    def text(self) -> bytes:
        """All of it in the text format of Prometheus."""
        return self._library.generate_latest(self._registry)

    @property
    def media_type(self) -> str:
        """Of the text."""
        return self._library.CONTENT_TYPE_LATEST
