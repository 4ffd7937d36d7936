"""Streaming: a body drawn while it is sent, no further than two chunks beyond what its reader takes."""

from starlette.types import Message, Receive, Send

from service.api.connections import while_connected
from service.api.metrics import DRAWN_BYTES, OPEN_STREAMS
from service.api.ranges import Span
from service.api.representations import Representation
from service.api.wires import Wire, pour
from service.api.workers import Workers

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
