"""The HTTP/1.1 protocol: uvicorn's, with a limit for heads, timeouts for requests and a lingering close.

It uses internals of uvicorn, so pyproject.toml limits the versions. A request with invalid HTTP syntax never
reaches the application: this module responds to it with application/problem+json (RFC 9457).
"""

import asyncio
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from starlette.exceptions import HTTPException
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from service.api.http.media_types import PROBLEM_JSON
from service.api.problems import Problem, describe, render
from service.api.sending.direct import EXTENSION
from service.api.shares import RETRY_AFTER, Shares, identify_peer
from service.server.lingering_close import LingeringClose, ResponseTransport
from service.server.timeouts import RequestTimeouts, SendTimeouts
from service.settings import Settings

MAX_UNSENT_BYTES = 4096  # a stream waits while the transport has more unsent bytes
NO_HEADERS: dict[str, str] = {}
MAX_HEAD_BYTES = 64 * 1024  # bytes of the request target and all fields


class TransportSocket:
    """The socket of a transport, as a `ClientSocket` (service.api.sending.direct) for one request."""

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        self._transport, self._cycle = transport, cycle

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

    def abort(self) -> None:
        """Close the connection at once."""
        self._transport.abort()


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 by httptools, with problems for errors, a limit for heads, and timeouts from the first byte.

    The transport reports a full buffer as soon as a chunk is not sent completely, and an empty buffer when it
    is. So if a client stalls, its stream is ahead by one chunk. A head alone stays below that limit, so it is
    sent together with a small body.
    """

    _head_bytes = 0
    # Received since the last complete part of a message. The parser does not report an incomplete field, so
    # _head_bytes does not count it.
    _incomplete_bytes = 0
    _has_progressed = False
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
            self._refuse(describe(error.status_code, str(error.detail)), RETRY_AFTER)
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

    def data_received(self, data: bytes) -> None:
        """Start the timeout of a request at its first byte, even of an empty line."""
        self._timeouts.start(self)
        self._has_progressed = False
        super().data_received(data)
        self._incomplete_bytes = 0 if self._has_progressed else self._incomplete_bytes + len(data)
        is_open = self.transport.get_protocol() is self and not self.transport.is_closing()
        if self._incomplete_bytes > MAX_HEAD_BYTES and is_open:
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Start to count a head. A pipelined request may arrive in the same bytes as its predecessor."""
        self._timeouts.start(self)
        super().on_message_begin()
        self._head_bytes = self._incomplete_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Receive a part of the request target."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receive a field, of the head or after a chunked body."""
        self._has_progressed = True
        self._count_head(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Give the response the lingering close and, without TLS, direct access to the socket."""
        self._has_progressed = True
        super().on_headers_complete()
        self.cycle.transport = self._response_transport
        if self.scheme == "http":
            client = cast("dict[object, object]", TransportSocket(self.transport, self.cycle))
            self.scope["extensions"] = {EXTENSION: client}

    def on_body(self, body: bytes) -> None:
        """Receive a part of the body."""
        self._has_progressed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the timeout of a request that is complete."""
        self._has_progressed = True
        self._timeouts.stop(self)
        super().on_message_complete()

    def expire(self) -> None:
        """Send 408 and close (RFC 9110, section 15.5.9), unless an earlier response is due or being sent."""
        cycle = self._current
        if cycle and cycle.response_complete and cycle.more_body:
            self.transport.close()  # the response was sent before the body arrived
        elif not (is_responding(cycle) or self.transport.is_closing()):
            self._refuse(describe(408, "The request did not arrive completely in time."))

    def send_400_response(self, msg: str) -> None:
        """Send 400 or 431 and close. If a response is being sent, only close."""
        cycle = self._current
        if cycle and cycle.response_started and not cycle.response_complete:
            self._close()
        elif max(self._head_bytes, self._incomplete_bytes) > MAX_HEAD_BYTES:
            self._refuse(describe(431, f"The head must be at most {MAX_HEAD_BYTES} bytes."))
        else:
            self._refuse(describe(400, msg))

    def _refuse(self, problem: Problem, headers: dict[str, str] = NO_HEADERS) -> None:
        body = render(problem)
        extra = "".join(f"{name.lower()}: {value}\r\n" for name, value in headers.items())
        head = (
            f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: {PROBLEM_JSON}\r\n"
            f"content-length: {len(body)}\r\ncache-control: no-store\r\n{extra}connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self._close()

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

    def _count_head(self, length: int) -> None:
        self._head_bytes += length
        if self._head_bytes > MAX_HEAD_BYTES:
            raise ValueError("the head is too long")  # httptools turns it into an HttpParserError


def make_protocol(settings: Settings) -> Callable[..., Protocol]:
    """Make the protocol's factory with the limits of the settings. It can be pickled, for workers."""
    return partial(
        Protocol,
        timeouts=RequestTimeouts(settings.request_timeout),
        send_timeouts=SendTimeouts(settings.send_timeout),
        connection_shares=Shares("connections", settings.max_connections, settings.peer_share),
    )


def is_responding(cycle: RequestResponseCycle | None) -> bool:
    """Return whether a response is due (its request is complete) or being sent."""
    return bool(cycle and not cycle.response_complete and (cycle.response_started or not cycle.more_body))
