"""Bodies: the bytes of a response, read directly into the caller's memory.

httpx yields a body in pieces of at most 64 KiB, which are copied several times. It also exposes the socket,
as an extension of the response. Reading a long body of known length from the socket, after the first piece,
is three times as fast: the kernel copies it to its place. httpx still handles redirects, proxies and TLS. It
does not know where in such a connection the response ends, so the connection is closed; shorter bodies are
read through httpx, which keeps their connections.

docs/client.md has the figures. Only this module depends on how a body is read.
"""

import socket
import ssl
import sys
from contextlib import suppress

import httpx

from weightinit.errors import BrokenTransfer, ServerStalled, Truncated, WeightinitError
from weightinit.transport.urls import mask

# From these sizes on, a new connection costs less than the copies; TLS needs a handshake as well.
LONG_BODY = 4 * 2**20
LONG_BODY_TLS = 64 * 2**20

# Bytes that the kernel collects before recv returns, since a wakeup per packet costs more than the bytes.
# After this many seconds without as many, recv returns for any number of bytes.
COLLECTED = 2**20
COLLECT_TIMEOUT = 0.25


class Body:
    """The body of a response, of known length, with a timeout in seconds without a byte."""

    def __init__(self, response: httpx.Response, length: int, timeout: float) -> None:
        self._response = response
        self._chunks = response.iter_raw()
        self._left = length
        self._timeout = timeout
        self._piece: memoryview | None = None
        self._socket: socket.socket | None = None
        self._is_collecting = False

    def read_into(self, view: memoryview) -> int:
        """Read bytes to the start of `view` and return their number; 0 at the end of the body.

        Raises Truncated if the body ends early, ServerStalled after the timeout.
        """
        view = view[: self._left]
        if not view:
            return 0
        if not self._piece and not self._socket:
            self._fetch_piece()
        from_socket = self._socket if not self._piece else None
        read = self._receive(from_socket, view) if from_socket else self._copy_piece(view)
        self._left -= read
        return read

    def finish(self) -> None:
        """Check that the body ends here, so that its connection can be reused. Raises BrokenTransfer."""
        if not self._socket and (self._piece or next(self._chunks, b"")):
            raise BrokenTransfer(f"{self._url} sent more bytes than it announced")

    @property
    def _url(self) -> str:
        return mask(self._response.url)

    def _fetch_piece(self) -> None:
        is_first = self._piece is None
        try:
            self._piece = memoryview(next(self._chunks, b""))
        except httpx.TimeoutException as error:
            raise self._stalled() from error
        except httpx.HTTPError as error:
            raise self._truncated(str(error)) from error
        if not self._piece:
            raise self._truncated("the response ended")
        if is_first:
            self._socket = find_socket(self._response, self._left - len(self._piece))
            if self._socket:
                self._begin_to_receive(self._socket)

    def _copy_piece(self, view: memoryview) -> int:
        piece = self._piece or memoryview(b"")
        read = min(len(view), len(piece))
        view[:read], self._piece = piece[:read], piece[read:]
        return read

    def _begin_to_receive(self, source: socket.socket) -> None:
        # Other systems do not widen the receive window enough. With TLS the socket counts encrypted bytes.
        self._is_collecting = sys.platform == "linux" and not isinstance(source, ssl.SSLSocket)
        if self._is_collecting:
            source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, COLLECTED)
        source.settimeout(min(COLLECT_TIMEOUT, self._timeout) if self._is_collecting else self._timeout)

    def _stop_collecting(self, source: socket.socket) -> None:
        self._is_collecting = False
        source.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        source.settimeout(self._timeout)

    def _receive(self, source: socket.socket, view: memoryview) -> int:
        if self._is_collecting and self._left < COLLECTED:
            self._stop_collecting(source)
        try:
            read = source.recv_into(view)
        except TimeoutError as error:
            if self._is_collecting:
                self._stop_collecting(source)
                return self._receive(source, view)
            self._check_premise(source)
            raise self._stalled() from error
        except OSError as error:
            raise self._truncated(str(error)) from error
        if not read:
            self._check_premise(source)
            raise self._truncated("the connection was closed")
        return read

    def _check_premise(self, source: socket.socket) -> None:
        """Check, if bytes are missing, that httpx has not buffered them: the rest would be misplaced."""
        with suppress(OSError):
            source.shutdown(socket.SHUT_RDWR)
        with suppress(httpx.HTTPError):
            if next(self._chunks, b""):
                raise WeightinitError(
                    "this version of httpx buffers bytes of the body; install an older version"
                )

    def _truncated(self, why: str) -> Truncated:
        return Truncated(f"{self._url} closed the connection with {self._left} bytes missing ({why})")

    def _stalled(self) -> ServerStalled:
        return ServerStalled(
            f"{self._url} sent nothing for {self._timeout:g} s with {self._left} bytes missing; "
            "increase timeout= or WEIGHTINIT_TIMEOUT"
        )


def find_socket(response: httpx.Response, rest: int) -> socket.socket | None:
    """Return the socket to read the rest of a body from; None if httpx must read it."""
    stream = response.extensions.get("network_stream")
    framed = "Content-Length" in response.headers and "Transfer-Encoding" not in response.headers
    if stream is None or not framed or not response.http_version.startswith("HTTP/1"):
        return None
    found = stream.get_extra_info("socket")
    if not isinstance(found, socket.socket):
        return None
    has_tls = isinstance(found, ssl.SSLSocket)
    if not has_tls and stream.get_extra_info("ssl_object") is not None:
        return None  # TLS inside a proxy's TLS: the socket carries what only httpx can decrypt
    return found if rest >= (LONG_BODY_TLS if has_tls else LONG_BODY) else None
