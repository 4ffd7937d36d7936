"""The HTTP/1.1 protocol: uvicorn's, with a limit for heads, timeouts for requests and a lingering close.

It uses internals of uvicorn, so pyproject.toml limits the versions. A request with invalid HTTP syntax never
reaches the application: this module responds to it with application/problem+json (RFC 9457).
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import httptools

from service.api.problems import Problem, describe
from service.api.sending.direct import EXTENSION
from service.api.work.shares import Shares
from service.server.connection import Connection, TransportSocket, is_responding
from service.server.head import add_path, check_head, explain_error, format_without_upgrade
from service.server.timeouts import RequestTimeouts, SendTimeouts
from service.settings import Settings

MAX_HEAD_BYTES = 64 * 1024  # bytes of the request target and all fields


class Protocol(Connection):
    """HTTP/1.1 by httptools, with problems for errors, a limit for heads, and timeouts for requests."""

    _head_bytes = 0
    # Received since the last complete part of a message. The parser does not report an incomplete field, so
    # _head_bytes does not count it.
    _incomplete_bytes = 0
    _has_progressed = False
    _is_head_complete = False
    _problem: Problem | None = None  # to be sent as the last response, when those before it are
    _received: bytes = b""  # the latest bytes
    _request_line: tuple[bytes, bytes, str] = (b"", b"", "")  # method, target and version
    _resume = 0  # where the bytes behind a head that asks for another protocol begin

    def __init__(self, *arguments: Any, allowed_hosts: frozenset[bytes], **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **settings)
        self._allowed_hosts = allowed_hosts

    def data_received(self, data: bytes) -> None:
        """Start the timeout of a request at its first byte, even of an empty line."""
        if self._problem:
            return  # what follows an invalid request cannot be understood
        self._timeouts.start(self)
        self._has_progressed = False
        self._feed(data)
        self._incomplete_bytes = 0 if self._has_progressed else self._incomplete_bytes + len(data)
        is_open = self.transport.get_protocol() is self and not self.transport.is_closing()
        if self._incomplete_bytes > MAX_HEAD_BYTES and is_open:
            self.send_400_response("")

    def _feed(self, data: bytes) -> None:
        """Parse bytes. A head that asks for another protocol is parsed again without that (RFC 9110, 7.8)."""
        rest = memoryview(data)
        self._received = data
        while rest and not self._problem:
            self._resume = 0
            super().data_received(cast("bytes", rest))
            if not self._resume:
                return
            rest = rest[self._resume :]
            fields = [*self.headers]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            super().data_received(format_without_upgrade(*self._request_line, fields))

    def _unsupported_upgrade_warning(self) -> None:
        """Note where the bytes behind the head of a request for another protocol begin."""
        error = sys.exception()
        self._resume = error.args[0] if error else 0

    def on_response_complete(self) -> None:
        """Start the next response, or send the problem of the request behind the last one."""
        super().on_response_complete()
        if self.transport.is_closing() or is_responding(self._current):
            return
        if self._problem:
            self._send_problem(self._problem)
        elif self._is_half_closed:
            self.transport.close()

    def on_message_begin(self) -> None:
        """Start to count a head. A pipelined request may arrive in the same bytes as its predecessor."""
        self._timeouts.start(self)
        super().on_message_begin()
        self._head_bytes = self._incomplete_bytes = 0
        self._is_head_complete = False

    def on_url(self, url: bytes) -> None:
        """Receive a part of the request target."""
        if self._head_bytes + len(url) > MAX_HEAD_BYTES:
            self._problem = describe(414, f"The request target must be at most {MAX_HEAD_BYTES} bytes.")
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receive a field, of the head or after a chunked body."""
        self._has_progressed = True
        self._count_head(len(name) + len(value))
        if not self._is_head_complete:  # trailers are ignored (RFC 9110, section 6.5.1)
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Give the response the lingering close and, without TLS, direct access to the socket."""
        self._has_progressed = True
        self._request_line = self.parser.get_method(), self.url, self.parser.get_http_version()
        problem = check_head(*self._request_line, self.headers, self._allowed_hosts, self.scheme or "http")
        if problem:
            self._problem = problem
            raise ValueError(problem.detail)  # httptools turns it into an HttpParserError
        if self.parser.should_upgrade():
            return
        self.url = add_path(self.url)
        super().on_headers_complete()
        self._is_head_complete = True
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
        if self.parser.should_upgrade():
            return
        self._timeouts.stop(self)
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's
        """Send the problem of an invalid request and close, after the responses that are due."""
        if not self._problem and max(self._head_bytes, self._incomplete_bytes) > MAX_HEAD_BYTES:
            self._problem = describe(431, f"The head must be at most {MAX_HEAD_BYTES} bytes.")
        self._problem = self._problem or explain_error(sys.exception(), self._received)
        if self._is_head_complete and self.cycle.more_body:
            # The body is invalid, so its own request has no response.
            if self.pipeline and self.pipeline[0][0] is self.cycle:
                self.pipeline.popleft()
            elif self.cycle.response_started:
                self._close()
                return
            else:
                self._send_problem(self._problem)
                return
        if is_responding(self._current) or self.pipeline:
            self.flow.pause_reading()
        else:
            self._send_problem(self._problem)

    def _is_head_request(self) -> bool:
        return self._head_bytes > 0 and bool(self.parser.get_method() == b"HEAD")

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
        allowed_hosts=frozenset(host.encode().lower() for host in settings.split_allowed_hosts()),
    )
