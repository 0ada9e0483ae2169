"""The endpoints of a service: label maps, and what is said of the model and of the service."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from segkd_mm.deploy import Predictor
from segkd_mm.libraries import import_library
from segkd_mm.serve import EXTRA
from segkd_mm.serve.description import describe
from segkd_mm.serve.labeller import Labeller
from segkd_mm.serve.limits import Limits
from segkd_mm.serve.metrics import Metrics
from segkd_mm.serve.refusal import answer_refusals
from segkd_mm.serve.upload import read_upload
from segkd_mm.serve.worker import Worker
from segkd_mm.version import __version__

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

PREDICT = '/predict'
PNG = 'image/png'


def create_app(predictor: Predictor, limits: Limits) -> 'FastAPI':
    """The app of a service.

    Args:
        predictor: Of an exported file: ``segkd_mm.load(FILE)``.
        limits: What it takes.

    Raises:
        ImportError: A library of the extra ``serve`` is not installed.
    """
    fastapi = import_library('fastapi', EXTRA)
    import_library('python_multipart', EXTRA)  # which is asked for by the first form
    worker = Worker(limits)
    metrics = Metrics(lambda: worker.length)
    # Its own pages of documentation load scripts from elsewhere.
    about = dict(title='segkd serve', version=__version__, docs_url=None, redoc_url=None)
    app = fastapi.FastAPI(**about, lifespan=partial(_closing, worker))
    answer_refusals(app)
    app.middleware('http')(partial(_recorded, metrics))
    _add_predict(app, worker, Labeller(predictor, limits.max_pixels), limits)
    _add_descriptions(app, metrics, describe(predictor, limits))
    return app


def _add_predict(app: 'FastAPI', worker: Worker, labeller: Labeller, limits: Limits) -> None:
    fastapi = import_library('fastapi', EXTRA)
    image = {'type': 'string', 'format': 'binary'}
    body = {'content': {'image/*': {'schema': image}}, 'required': True}

    @app.post(PREDICT, response_class=fastapi.Response, openapi_extra={'requestBody': body})
    async def predict(request: fastapi.Request, overlay: bool = False) -> fastapi.Response:
        """The label map of an image, the body or the file of a form; or an overlay of it."""
        read = partial(read_upload, request, limits.max_bytes)
        png = await worker.answer(read, labeller.overlay if overlay else labeller.label_map)
        return fastapi.Response(png, media_type=PNG)


def _add_descriptions(app: 'FastAPI', metrics: Metrics, model: dict) -> None:
    fastapi = import_library('fastapi', EXTRA)

    @app.api_route('/health', methods=['GET', 'HEAD'])  # some load balancers ask by HEAD
    async def health() -> dict:
        """That the service answers."""
        return {'status': 'ok'}

    @app.get('/model')
    async def about() -> dict:
        """The model, and what it takes and gives."""
        return model

    @app.get('/metrics', response_class=fastapi.Response)
    async def numbers() -> fastapi.Response:
        """Numbers for Prometheus."""
        return fastapi.Response(metrics.text(), media_type=metrics.media_type)


async def _recorded(
    metrics: Metrics, request: 'Request', answer: Callable[['Request'], Awaitable['Response']]
) -> 'Response':
    """Answer a request; count those to /predict."""
    start, status = perf_counter(), 500
    try:
        response = await answer(request)
        status = response.status_code
        return response
    finally:
        if request.url.path == PREDICT:
            metrics.record(status, perf_counter() - start)


@asynccontextmanager
async def _closing(worker: Worker, _: 'FastAPI') -> AsyncIterator[None]:
    yield
    worker.close()
