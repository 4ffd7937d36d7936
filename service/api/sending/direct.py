"""Wires: the socket of a connection, for bodies that are written where they are drawn.

Handed over from thread to thread, each chunk costs two wake-ups and a way from one core's cache to another's.
A thread that writes what it has just drawn goes on at once. The event loop still watches for the reader.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from service.api.content.representation import CHUNK, Representation
from service.api.http.ranges import Span
from service.api.metrics import DRAWN_BYTES
from service.api.workers import Workers

EXTENSION = "weightinit.wire"  # of the ASGI scope
TURN = 2 * CHUNK  # bytes that a stream may write before another has its turn


class Wire:
    """The socket of a request's connection, and what the server has to know of its use."""

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        self._transport, self._cycle = transport, cycle

    def is_free(self) -> bool:
        """Tell whether all that was written to the transport has left it, and more may follow."""
        return not self._transport.is_closing() and self._transport.get_write_buffer_size() == 0

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
    """Spans of a representation on their way to a socket, drawn and written by one thread, or by two.

    Each writes what it has drawn itself, out of its own core's cache, while the other one draws what follows.
    """

    def __init__(
        self, representation: Representation, spans: Iterator[Span], to: socket.socket, workers: Workers
    ) -> None:
        self.written = 0
        self.is_full = False
        self.is_stopped = False
        self._representation, self._to, self._workers = representation, to, workers
        self._spans, self._taking = enumerate(spans), threading.Lock()
        self._is_drained = False
        self._number, self._turns = 0, threading.Condition()  # of the chunk to be written next
        self._drawn: dict[int, memoryview] = {}  # what is to be written when its turn has come

    def is_done(self) -> bool:
        """Tell, between two advances, whether everything is written."""
        return self._is_drained and not self._drawn

    def advance(self, turn: int) -> None:
        """Draw and write so many bytes, and more while no other stream waits, until the socket is full."""
        end = self.written + turn
        with self._turns:
            self._write()
        while not self._is_halted() and (self.written < end or not self._workers.are_wanted()):
            with self._taking:
                number, span = next(self._spans, (0, None))
            if span is None:
                self._is_drained = True
                break
            try:
                chunk = self._representation.draw(span)
            except BaseException:
                self.stop()
                raise
            DRAWN_BYTES.inc(span.length)
            self._put(number, chunk)
            del chunk  # the next one gets its buffer, still in the cache

    def stop(self) -> None:
        """Write no more."""
        self.is_stopped = True
        with self._turns:
            self._turns.notify_all()

    def _put(self, number: int, chunk: memoryview) -> None:
        with self._turns:
            self._turns.wait_for(lambda: self._number == number or self._is_halted())
            self._drawn[number] = chunk
            self._write()
            self._turns.notify_all()

    def _write(self) -> None:
        while self._number in self._drawn and not self._is_halted():
            chunk = self._drawn[self._number]
            try:
                sent = self._to.send(chunk)
            except BlockingIOError:
                self.is_full = True
            except OSError:
                self.is_stopped = True
            else:
                self.written += sent
                self._drawn[self._number] = chunk[sent:]
                if sent == len(chunk):
                    del self._drawn[self._number]
                    self._number += 1

    def _is_halted(self) -> bool:
        return self.is_full or self.is_stopped


async def pour(wire: Wire, representation: Representation, spans: Iterator[Span], workers: Workers) -> None:
    """Draw and write spans past the event loop, which is to cancel this once the reader has left."""
    to = wire.open()
    poured = Pour(representation, spans, to, workers)
    turns: list[asyncio.Future[None]] = []
    try:
        while not poured.is_done():
            threads = 1 if workers.are_wanted() else 2
            turns = [workers.run(poured.advance, TURN) for _ in range(threads)]
            await asyncio.wait(turns)  # which does not cancel a turn, for it would go on
            for turn in turns:
                turn.result()
            if poured.is_stopped:
                wire.abort()
                await asyncio.Event().wait()  # until this is cancelled, since the reader is not connected
            if poured.is_full:
                await _wait_until_writable(to)
                poured.is_full = False
        wire.note(poured.written)
    finally:
        poured.is_stopped = True
        asyncio.gather(*turns, return_exceptions=True).add_done_callback(lambda _: to.close())


async def _wait_until_writable(to: socket.socket) -> None:
    loop, writable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(to, writable.set)
    try:
        await writable.wait()
    finally:
        loop.remove_writer(to)
