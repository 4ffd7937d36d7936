"""Streaming: draw a body while it is sent, at most two chunks ahead of the client."""

import asyncio
from collections.abc import Coroutine
from contextlib import nullcontext
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from service.api.content.representation import Representation
from service.api.context import Context
from service.api.http.ranges import Span
from service.api.metrics import DRAWN_BYTES, OPEN_STREAMS
from service.api.sending.direct import EXTENSION, ClientSocket, send_directly

T = TypeVar("T")

# Up to this size the event loop draws a body itself, because waking a thread takes longer.
MAX_INLINE_BYTES = 256 * 1024


class BodyResponse(Response):
    """A span of a representation. Raises HTTPException 429 or 503 if too many large ones are being sent."""

    def __init__(
        self,
        status: int,
        headers: dict[str, str],
        whole: Representation,
        span: Span,
        context: Context,
        peer: str,
    ) -> None:
        self._is_large = not is_inline(whole, span)
        if self._is_large:
            context.stream_shares.check(peer)
        self._peer = peer
        self.status_code = status
        self.background = None
        self.raw_headers = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
        ]
        self._whole, self._span, self._context = whole, span, context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and the body of the response."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        client = scope.get("extensions", {}).get(EXTENSION)
        held = self._context.stream_shares.hold(self._peer) if self._is_large else nullcontext()
        try:
            with held:
                await send_body(self._whole, self._span, self._context, client, receive, send)
        except ReaderLeftError:
            return
        except asyncio.CancelledError:
            return  # the shutdown timeout has passed, and the server closes the connection


def is_inline(representation: Representation, span: Span) -> bool:
    """Return whether the event loop draws a span itself: it has few bytes, and of few sources."""
    return span.length <= MAX_INLINE_BYTES and representation.is_cheap(span)


async def send_body(
    representation: Representation,
    span: Span,
    context: Context,
    client: ClientSocket | None,
    receive: Receive,
    send: Send,
) -> None:
    """Send the bytes of a span. Raises ReaderLeftError as soon as the client disconnects.

    An ASGI body is `bytes`. A server that offers its socket accepts any buffer, which saves a copy.
    """
    if is_inline(representation, span):
        DRAWN_BYTES.inc(span.length)
        body = representation.draw(span)
        await send(_make_message(body if client else bytes(body), more=False))
        return
    with OPEN_STREAMS.track_inprogress():
        await while_connected(receive, _send_chunks(representation, span, context, client, send))


async def _send_chunks(
    representation: Representation, span: Span, context: Context, client: ClientSocket | None, send: Send
) -> None:
    """Send chunk by chunk, and the rest directly when the server has sent all earlier bytes.

    A server's `send` returns when it has the bytes, but first waits while earlier bytes are unsent. So the
    empty message waits until the client has read nearly all of the chunk. If the client stalls, only one
    chunk is in memory.
    """
    workers = context.workers
    for part in representation.split(span):
        chunk = await workers.run(representation.draw, part)
        DRAWN_BYTES.inc(len(chunk))
        await send(_make_message(chunk if client else bytes(chunk), more=True))
        await send(_make_message(b"", more=True))
        del chunk
        if client and part.stop < span.stop and client.is_writable():
            rest = Span(part.stop, span.stop)
            await send_directly(client, representation, rest, workers, context.settings.send_timeout)
            break
    await send(_make_message(b"", more=False))


def _make_message(body: bytes | memoryview, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


class ReaderLeftError(Exception):
    """The client disconnected before the end of the response."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`. If the client disconnects, cancel it and raise ReaderLeftError."""
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_wait_for_disconnect(receive))
    try:
        await asyncio.wait((task, watch), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ReaderLeftError
        return task.result()
    finally:
        task.cancel()
        watch.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
