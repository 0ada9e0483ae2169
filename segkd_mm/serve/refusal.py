"""A request that is refused, and its answer: what was found, what was expected, what to do."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from segkd_mm.libraries import import_library
from segkd_mm.serve import EXTRA

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response
    from fastapi.exceptions import HTTPException, RequestValidationError

ENDPOINTS = 'POST /predict, GET /health, GET /model or GET /metrics'
CALL = 'curl --data-binary @image.jpg {base}predict -o labels.png'


class Refusal(Exception):
    """A request that gets no label map.

    Args:
        status: Of HTTP.
        found: What was found.
        expected: What was expected.
        advice: What to do.
        headers: Of the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        found: str,
        expected: str,
        advice: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f'found {found}, expected {expected}. {advice}')
        self.status, self.headers = status, headers
        self.body = {'found': found, 'expected': expected, 'what_to_do': advice}


def try_again(status: HTTPStatus, found: str, expected: str) -> Refusal:
    """A refusal of a request that may be answered at another time."""
    headers = {'Retry-After': '1'}  # seconds
    return Refusal(status, found, expected, 'Send it again later, or a smaller image.', headers)


def answer_refusals(app: 'FastAPI') -> None:
    """Have an app answer refusals, errors of HTTP and its own failures with JSON."""
    errors = import_library('fastapi.exceptions', EXTRA)
    http_error = import_library('starlette.exceptions', EXTRA).HTTPException
    app.add_exception_handler(Refusal, lambda _, refusal: _answer(refusal))
    app.add_exception_handler(http_error, _of_http)
    app.add_exception_handler(errors.RequestValidationError, _of_query)
    app.add_exception_handler(Exception, _of_failure)


def _answer(refusal: Refusal) -> 'Response':
    responses = import_library('fastapi.responses', EXTRA)
    return responses.JSONResponse(refusal.body, refusal.status, refusal.headers)


def _of_http(request: 'Request', error: 'HTTPException') -> 'Response':
    """Another path or method, or a form that cannot be read."""
    found = f'{request.method} {request.url.path}: {error.detail}'
    advice = CALL.format(base=request.base_url)
    return _answer(Refusal(error.status_code, found, ENDPOINTS, advice, error.headers))


def _of_query(_: 'Request', error: 'RequestValidationError') -> 'Response':
    first = error.errors()[0]
    found = f'{first["loc"][-1]}={first["input"]:.60}'
    advice = 'Correct the query, or leave it out.'
    return _answer(Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, found, first['msg'], advice))


def _of_failure(*_: object) -> 'Response':
    """A fault, whose traceback is in the log."""
    refusal = Refusal(
        HTTPStatus.INTERNAL_SERVER_ERROR, 'an image with which the service failed',
        'one that its model can compute', 'Its log has the reason; send another image.',
    )  # fmt: skip
    return _answer(refusal)
