"""One thread that works on requests in their order, a bounded number of which are let in."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus
from time import monotonic

from segkd_mm.serve.limits import Limits
from segkd_mm.serve.refusal import try_again


class Worker:
    """Reads requests in the event loop and works on them one by one in a thread.

    A request has a place from before it is read until its work has ended, so that the memory of
    all bodies is bounded, that of requests whose time is over, too.

    Args:
        limits: Of the places and of the time.

    Attributes:
        length: Requests that have a place. It is changed in the event loop alone.
    """

    def __init__(self, limits: Limits) -> None:
        self.length = 0
        self._limits = limits
        self._thread = ThreadPoolExecutor(1, 'predict')

    async def answer(
        self, read: Callable[[], Awaitable[bytes]], work: Callable[[bytes], bytes]
    ) -> bytes:
        """Read a request in the event loop and work on it in the thread.

        Raises:
            Refusal: All places are taken, or the time is over; or as ``read`` or ``work``.
        """
        deadline = monotonic() + self._limits.seconds
        with ExitStack() as place:
            self._enter(place)
            content = await self._until(
                deadline, read(), HTTPStatus.REQUEST_TIMEOUT, 'no whole body'
            )
            job = self._submit(work, content, deadline)
            held = place.pop_all()
            job.add_done_callback(lambda _: held.close())
        # Work that has begun goes on when its time is over: a thread cannot be stopped.
        busy = HTTPStatus.SERVICE_UNAVAILABLE
        return await self._until(deadline, asyncio.shield(job), busy, 'no label map')

    def close(self) -> None:
        """End the thread after the work that it has."""
        self._thread.shutdown()

    def _enter(self, place: ExitStack) -> None:
        if self.length >= self._limits.places:
            found = f'{self.length} requests before this one'
            raise try_again(HTTPStatus.SERVICE_UNAVAILABLE, found, 'fewer')
        self.length += 1
        place.callback(self._leave)

    def _leave(self) -> None:
        self.length -= 1

    def _submit(
        self, work: Callable[[bytes], bytes], content: bytes, deadline: float
    ) -> 'asyncio.Future[bytes]':
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._thread, partial(_in_time, work, content, deadline))

    async def _until(
        self, deadline: float, result: Awaitable[bytes], status: HTTPStatus, found: str
    ) -> bytes:
        try:
            return await asyncio.wait_for(result, deadline - monotonic())
        except asyncio.TimeoutError:
            seconds = f'{self._limits.seconds:g} s'
            raise try_again(status, f'{found} after {seconds}', f'{seconds} at most') from None


def _in_time(work: Callable[[bytes], bytes], content: bytes, deadline: float) -> bytes:
    """Work on a request that is still waited for."""
    if monotonic() >= deadline:
        raise asyncio.TimeoutError
    return work(content)
