"""Connections: whose share they count against, how long they may stall, and how they are closed.

It uses internals of uvicorn, so pyproject.toml limits the versions.
"""

import asyncio
import os
import socket
from typing import Any, cast

from starlette.exceptions import HTTPException
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service.api.http.media_types import PROBLEM_JSON
from service.api.problems import Problem, describe, render
from service.api.work.shares import RETRY_AFTER, Shares, identify_peer
from service.server.lingering_close import LingeringClose, ResponseTransport
from service.server.timeouts import RequestTimeouts, SendTimeouts

MAX_UNSENT_BYTES = 4096  # a stream waits while the transport has more unsent bytes
HALF_CLOSED_TIMEOUT = 1.0  # seconds in which a response must start if its client sends no more
NO_HEADERS: dict[str, str] = {}


class TransportSocket:
    """The socket of a transport, as a `ClientSocket` (service.api.sending.direct) for one request."""

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        self._transport, self._cycle = transport, cycle
        self.written = 0

    def is_writable(self) -> bool:
        """Return whether the transport is open and has sent everything written to it."""
        return not self._transport.is_closing() and self._transport.get_write_buffer_size() == 0

    def duplicate(self) -> socket.socket:
        """Return the socket under a new descriptor, which stays valid when the server closes its own."""
        duplicate = socket.socket(fileno=os.dup(self._transport.get_extra_info("socket").fileno()))
        duplicate.settimeout(0)
        return duplicate

    def note_written(self, count: int) -> None:
        """Subtract written bytes from those that the cycle still expects of the body."""
        self._cycle.expected_content_length -= count
        self.written += count

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()


class Connection(HttpToolsProtocol):
    """A connection of uvicorn's with a share, timeouts and a lingering close.

    The transport reports a full buffer as soon as a chunk is not sent completely, and an empty buffer when it
    is. So if a client stalls, its stream is ahead by one chunk. A head alone stays below that limit, so it is
    sent together with a small body.
    """

    _is_half_closed = False
    _peer: str | None = None  # whose share the connection counts against
    _current: RequestResponseCycle | None = None  # of the current response, or the last one

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        timeouts: RequestTimeouts,
        send_timeouts: SendTimeouts,
        connection_shares: Shares,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._timeouts, self._send_timeouts = timeouts, send_timeouts
        self._shares = connection_shares

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the keep-alive timeout, as after each response."""
        stream = cast("asyncio.Transport", transport)
        stream.set_write_buffer_limits(high=MAX_UNSENT_BYTES, low=0)
        super().connection_made(stream)
        self._response_transport = cast("asyncio.Transport", ResponseTransport(stream, self._close))
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
        peer = identify_peer(self.client[0] if self.client else None)
        try:
            self._shares.check(peer)
        except HTTPException as error:
            self._timeouts.start(self)  # the request is yet to be read
            self._send_problem(describe(error.status_code, str(error.detail)), RETRY_AFTER)
        else:
            self._shares.take(peer)
            self._peer = peer

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timeout, and disconnect the current request: uvicorn disconnects only the last."""
        self._timeouts.stop(self)
        self._send_timeouts.stop(self)
        if self._peer is not None:
            self._shares.give_back(self._peer)
        self._disconnect()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the timeout of a client that does not read."""
        self._send_timeouts.start(self)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop the timeout of a client that has read."""
        self._send_timeouts.stop(self)
        super().resume_writing()

    def count_unsent(self) -> int:
        """Return the number of bytes in the transport's buffer."""
        return self.transport.get_write_buffer_size()

    def abort(self) -> None:
        """Close the connection, and discard what is in the transport's buffer."""
        self.transport.abort()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn's returns None
        """Finish the responses that are due to a client that closed its sending side (RFC 9112, section 9.6).

        One that closed both sides looks the same until the server sends, so a response has to start soon.
        """
        is_due = is_responding(self._current) or bool(self.pipeline)
        if self.scheme == "https" or not is_due or self.cycle.more_body:
            return False  # the transport closes
        self._is_half_closed = True
        self.loop.call_later(HALF_CLOSED_TIMEOUT, self._leave_unless_started)
        return True

    def _leave_unless_started(self) -> None:
        if self._current and not (self._current.response_started or self.transport.is_closing()):
            self.transport.close()

    def expire(self) -> None:
        """Send 408 and close (RFC 9110, section 15.5.9), unless an earlier response is due or being sent."""
        cycle = self._current
        if cycle and cycle.response_complete and cycle.more_body:
            self.transport.close()  # the response was sent before the body arrived
        elif not (is_responding(cycle) or self.transport.is_closing()):
            self._send_problem(describe(408, "The request did not arrive completely in time."))

    def _send_problem(self, problem: Problem, headers: dict[str, str] = NO_HEADERS) -> None:
        body = render(problem)
        fields = {
            "content-type": PROBLEM_JSON,
            "content-length": str(len(body)),
            "cache-control": "no-store",
            **headers,
            "connection": "close",
        }
        lines = [f"HTTP/1.1 {problem.status} {problem.title}", *(f"{k}: {v}" for k, v in fields.items())]
        # The server's fields for all responses: Date (RFC 9110, section 6.6.1), and those of `service`.
        lines += [b": ".join(field).decode("latin-1") for field in self.server_state.default_headers]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.transport.write(head if self._is_head_request() else head + body)
        self._close()

    def _is_head_request(self) -> bool:
        """Return whether the request that is being received is a HEAD, whose response has no body."""
        return False

    def _close(self) -> None:
        """Close after the last response: at once, or with a lingering close if a request is arriving."""
        if not self._timeouts.stop(self):
            self.transport.close()
            return
        self._disconnect()
        self.pipeline.clear()
        self.flow.resume_reading()
        LingeringClose(self.transport).begin()

    def _disconnect(self) -> None:
        if self._current:
            self._current.disconnected = True
            self._current.message_event.set()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._current = cycle
        super()._start_asgi_task(cycle, app)


def is_responding(cycle: RequestResponseCycle | None) -> bool:
    """Return whether a response is due (its request is complete) or being sent."""
    return bool(cycle and not cycle.response_complete and (cycle.response_started or not cycle.more_body))
