"""Streaming: a body drawn while it is sent, no further than two chunks beyond what its reader takes."""

import asyncio

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from service.api.content.representation import Representation
from service.api.context import Context
from service.api.http.ranges import Span
from service.api.metrics import DRAWN_BYTES, OPEN_STREAMS
from service.api.sending.direct import EXTENSION, Wire, pour
from service.api.workers import ReaderLeftError, Workers, while_connected

# Up to here a body is drawn at once, where the request is: a thread would take longer to wake.
INLINE = 256 * 1024


async def send_body(
    representation: Representation,
    span: Span,
    workers: Workers,
    wire: Wire | None,
    receive: Receive,
    send: Send,
) -> None:
    """Send the bytes of a span, and stop as soon as the reader leaves."""
    if span.length <= INLINE:
        DRAWN_BYTES.inc(span.length)
        await send(_make_message(representation.draw(span), more=False))
        return
    with OPEN_STREAMS.track_inprogress():
        await while_connected(receive, _send_chunks(representation, span, workers, wire, send))


async def _send_chunks(
    representation: Representation, span: Span, workers: Workers, wire: Wire | None, send: Send
) -> None:
    """Send a chunk after the other, and pour the rest once the server has nothing left to send.

    The server's send returns once it has the bytes, and waits first while those before are unsent. So an
    empty message waits until the reader has taken nearly all: a stalled one holds one chunk.
    """
    parts = representation.split(span)
    for part in parts:
        chunk = await workers.run(representation.draw, part)
        DRAWN_BYTES.inc(len(chunk))
        await send(_make_message(chunk, more=True))
        await send(_make_message(b"", more=True))
        del chunk
        if wire and wire.is_free():
            await pour(wire, representation, parts, workers)
    await send(_make_message(b"", more=False))


def _make_message(body: bytes | memoryview, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


class BodyResponse(Response):
    """A span of a representation. Raises HTTPException 503 where too many large ones are being sent."""

    def __init__(
        self, status: int, headers: dict[str, str], whole: Representation, span: Span, context: Context
    ) -> None:
        if span.length > INLINE and context.open_streams >= context.settings.max_streams:
            raise HTTPException(503, "Too many large bodies are being sent.", {"Retry-After": "1"})
        self.status_code = status
        self.background = None
        self.raw_headers = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
        ]
        self._whole, self._span, self._context = whole, span, context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and the body."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        wire = scope.get("extensions", {}).get(EXTENSION)
        self._context.open_streams += 1
        try:
            await send_body(self._whole, self._span, self._context.workers, wire, receive, send)
        except ReaderLeftError:
            return
        except asyncio.CancelledError:
            return  # the time to stop is over: the server closes the connection, and no trace helps anyone
        finally:
            self._context.open_streams -= 1
