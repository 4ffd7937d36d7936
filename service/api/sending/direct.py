"""Direct send: the threads that draw a large body write it to the client's socket.

Through the event loop, each chunk costs two wake-ups of a thread and a copy from one core's cache to
another's. A thread that writes what it has drawn continues at once. The event loop still watches for the
client's disconnect.

A server that supports this puts a `ClientSocket` into the extensions of the ASGI scope. All other servers get
the same bytes through `send`.
"""

import asyncio
import socket
import threading
from typing import Protocol

from service.api.content.representation import BUFFERS, CHUNK, SPARE, Representation
from service.api.http.ranges import Span
from service.api.metrics import DRAWN_BYTES, SEND_TIMEOUTS
from service.api.work.workers import Workers

EXTENSION = "weightinit.client_socket"  # key in the extensions of the ASGI scope
TURN = 2 * CHUNK  # bytes that a thread draws for one body before it continues with another


class ClientSocket(Protocol):
    """The socket of a request's connection, unencrypted. `written` counts the bytes written directly."""

    written: int

    def is_writable(self) -> bool:
        """Return whether the connection is open and all bytes of earlier `send` calls are in the socket."""

    def duplicate(self) -> socket.socket:
        """Return the non-blocking socket under a new descriptor, which the caller closes."""

    def note_written(self, count: int) -> None:
        """Tell the server how many bytes of the body were written directly."""

    def abort(self) -> None:
        """Close a connection that failed."""


class DirectSender:
    """Draws a span of a representation and writes it to a socket, in one or two threads.

    Each thread writes its chunks in the order of the body while the other one draws.
    """

    def __init__(
        self, representation: Representation, span: Span, to: socket.socket, workers: Workers
    ) -> None:
        self.is_full = False  # the socket accepts no more bytes for now
        self.is_stopped = False  # no more bytes may be written
        self._representation, self._to, self._workers = representation, to, workers
        self._start, self._stop = span.start, span.stop
        self._undrawn, self._claiming = span.start, threading.Lock()
        self._unsent, self._sending = span.start, threading.Condition()
        self._chunks: dict[int, memoryview] = {}  # drawn and not sent, by start

    def is_done(self) -> bool:
        """Return whether all bytes are written."""
        return self._unsent == self._stop

    def count_written(self) -> int:
        """Return the number of bytes written so far."""
        return self._unsent - self._start

    def run(self, turn: int) -> None:
        """Draw and write for a turn, or until the socket is full. Continue while no other job waits."""
        buffer = BUFFERS.take(CHUNK + SPARE)  # reused while it is in the core's cache
        drawn = 0
        self._write()
        while not self._is_halted():
            if drawn >= turn:
                if self._workers.have_waiting():
                    return
                drawn = 0
            with self._claiming:
                start = self._undrawn
                self._undrawn = stop = min(start + CHUNK, self._stop)
            if start == stop:
                return
            try:
                chunk = self._representation.draw_into(start, stop, buffer)
            except BaseException:
                self._stop_all()
                raise
            DRAWN_BYTES.inc(stop - start)
            drawn += stop - start
            self._put(start, chunk)

    def _put(self, start: int, chunk: memoryview) -> None:
        """Write a chunk after those before it, or keep it for the next run."""
        with self._sending:
            self._sending.wait_for(lambda: self._unsent == start or self._is_halted())
            self._chunks[start] = chunk
            self._write()

    def _write(self) -> None:
        """Write the next chunks until the socket is full."""
        with self._sending:
            while not self._is_halted() and (chunk := self._chunks.pop(self._unsent, None)):
                try:
                    sent = self._to.send(chunk)
                except BlockingIOError:
                    self.is_full, sent = True, 0
                except OSError:
                    self.is_stopped, sent = True, 0
                self._unsent += sent
                if sent < len(chunk):
                    self._chunks[self._unsent] = chunk[sent:]
            self._sending.notify_all()

    def _stop_all(self) -> None:
        self.is_stopped = True
        with self._sending:
            self._sending.notify_all()

    def _is_halted(self) -> bool:
        return self.is_full or self.is_stopped


async def send_directly(
    client: ClientSocket, representation: Representation, span: Span, workers: Workers, send_timeout: float
) -> None:
    """Draw and write a span. The caller cancels this when the client disconnects.

    Aborts the connection if the socket accepts no byte for `send_timeout` seconds.
    """
    to = client.duplicate()
    sender = DirectSender(representation, span, to, workers)
    runs: list[asyncio.Future[None]] = []
    try:
        while not sender.is_done():
            threads = 1 if workers.have_waiting() else 2
            runs = [workers.run(sender.run, TURN) for _ in range(threads)]
            await asyncio.wait(runs)  # does not cancel a run, whose thread would continue
            for run in runs:
                run.result()
            if sender.is_full:
                sender.is_full = False
                try:
                    async with asyncio.timeout(send_timeout):
                        await _wait_until_writable(to)
                except TimeoutError:
                    SEND_TIMEOUTS.inc()
                    sender.is_stopped = True
            if sender.is_stopped:
                client.abort()
                await asyncio.Event().wait()  # until the caller notices the disconnect and cancels this
    finally:
        sender.is_stopped = True
        client.note_written(sender.count_written())
        asyncio.gather(*runs, return_exceptions=True).add_done_callback(lambda _: to.close())


async def _wait_until_writable(to: socket.socket) -> None:
    loop, writable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(to, writable.set)
    try:
        await writable.wait()
    finally:
        loop.remove_writer(to)
