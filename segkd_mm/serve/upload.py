"""The image in a request, read up to a number of bytes."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from segkd_mm.libraries import import_library
from segkd_mm.serve import EXTRA
from segkd_mm.serve.refusal import Refusal

if TYPE_CHECKING:
    from fastapi import Request
    from starlette.types import Message, Receive

FORM = 'multipart/form-data'


async def read_upload(request: 'Request', max_bytes: int) -> bytes:
    """The body of a request, or the one file in it if that is a form.

    Raises:
        Refusal: It is empty, breaks off, or has more bytes, of which no more are read; or the form
            has no file.
    """
    declared = request.headers.get('content-length', '')
    if declared.isdecimal() and int(declared) > max_bytes:
        raise _too_large(f'a body of {declared} bytes', max_bytes)
    requests = import_library('starlette.requests', EXTRA)
    counted = requests.Request(request.scope, _counted(request.receive, max_bytes))
    is_form = request.headers.get('content-type', '').lower().startswith(FORM)
    try:
        content = await (_file_of_form(counted) if is_form else counted.body())
    except requests.ClientDisconnect:
        raise _bad('a body that breaks off', 'all of it') from None
    if not content:
        raise _bad('an empty body', 'an image')
    return content


async def _file_of_form(request: 'Request') -> bytes:
    http_error = import_library('starlette.exceptions', EXTRA).HTTPException
    try:
        async with request.form(max_files=1) as form:
            files = [value for value in form.values() if not isinstance(value, str)]
            if not files:
                raise _bad('a form without a file', 'one with an image')
            return await files[0].read()
    except http_error as error:
        raise _bad(f'a form that cannot be read ({error.detail})', 'one with one file') from None


def _counted(receive: 'Receive', max_bytes: int) -> 'Receive':
    """Gives on what is received until there is more than so many bytes."""
    count = 0

    async def receive_counted() -> 'Message':
        nonlocal count
        message = await receive()
        count += len(message.get('body', b''))
        if count > max_bytes:
            raise _too_large(f'a body of more than {max_bytes} bytes', max_bytes)
        return message

    return receive_counted


def _too_large(found: str, max_bytes: int) -> Refusal:
    advice = 'Send a smaller image, or one that is compressed better.'
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, found, f'{max_bytes} at most', advice)


def _bad(found: str, expected: str) -> Refusal:
    advice = 'Send the image as the body (curl --data-binary @FILE), or in a form (-F image=@FILE).'
    return Refusal(HTTPStatus.BAD_REQUEST, found, expected, advice)
