"""Wires: the socket of a connection, for bodies that are written where they are drawn.

Handed over from thread to thread, each chunk costs two wake-ups and a way from one core's cache to another's.
A thread that writes what it has just drawn goes on at once. The event loop still watches for the reader.
"""

import asyncio
import os
import socket
from collections.abc import Iterator

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.api.metrics import DRAWN_BYTES
from service.api.ranges import Span
from service.api.representations import CHUNK, Representation
from service.api.workers import Workers

EXTENSION = "weightinit.wire"  # of the ASGI scope
TURN = 2 * CHUNK  # bytes that a stream may write before another has its turn


class Wire:
    """The socket of a request's connection, and what the server has to know of its use."""

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        self._transport, self._cycle = transport, cycle

    def is_free(self) -> bool:
        """Tell whether all that was written to the transport has left it."""
        return self._transport.get_write_buffer_size() == 0

    def open(self) -> socket.socket:
        """Open the socket a second time: its number stays ours when the server closes its own."""
        to = socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno()))
        to.settimeout(0)
        return to

    def note(self, written: int) -> None:
        """Tell the server how much of the body went past it."""
        self._cycle.expected_content_length -= written

    def abort(self) -> None:
        """Close a connection that cannot be written to."""
        self._transport.abort()


class Pour:
    """Spans of a representation on their way to a socket, drawn and written in any thread, one at a time."""

    def __init__(
        self, representation: Representation, spans: Iterator[Span], to: socket.socket, workers: Workers
    ) -> None:
        self.written = 0
        self.is_done = False
        self.is_stopped = False
        self._representation, self._spans, self._to, self._workers = representation, spans, to, workers
        self._chunk = memoryview(b"")

    def advance(self, turn: int) -> bool:
        """Draw and write so many bytes, and more while no other stream waits; tell if the socket is full."""
        end = self.written + turn
        while not self.is_stopped and (self.written < end or not self._workers.are_wanted()):
            if not self._chunk:
                self._chunk = memoryview(b"")  # the next chunk gets its buffer, still in the cache
                span = next(self._spans, None)
                if span is None:
                    self.is_done = True
                    break
                self._chunk = self._representation.draw(span)
                DRAWN_BYTES.inc(span.length)
            try:
                sent = self._to.send(self._chunk)
            except BlockingIOError:
                return True
            except OSError:
                self.is_stopped = True
                break
            self._chunk = self._chunk[sent:]
            self.written += sent
        return False


async def pour(wire: Wire, representation: Representation, spans: Iterator[Span], workers: Workers) -> None:
    """Draw and write spans past the event loop, which is to cancel this once the reader has left."""
    to = wire.open()
    poured = Pour(representation, spans, to, workers)
    turn = workers.run(poured.advance, TURN)
    try:
        while True:
            await asyncio.wait((turn,))  # which does not cancel the turn, for it would go on
            if turn.result():
                await _wait_until_writable(to)
            if poured.is_stopped:
                wire.abort()
                await asyncio.Event().wait()  # until this is cancelled, since the reader is not connected
            if poured.is_done:
                break
            turn = workers.run(poured.advance, TURN)
        wire.note(poured.written)
    finally:
        poured.is_stopped = True
        turn.add_done_callback(lambda _: to.close())


async def _wait_until_writable(to: socket.socket) -> None:
    loop, writable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(to, writable.set)
    try:
        await writable.wait()
    finally:
        loop.remove_writer(to)
