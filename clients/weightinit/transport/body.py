"""Bodies: the bytes of an answer, read straight into memory that the caller owns.

httpx hands a body over in pieces of at most 64 KiB that are copied several times on their way. httpx also
shows the socket itself, as an extension of the answer, and for a long body that is three times as fast: after
the first piece, the rest of a body of known length is on the socket alone, and the kernel copies it to its
place. Redirects, proxies and TLS stay httpx's. It no longer knows where in such a connection the answer
ends, so the connection is closed; shorter bodies are read the usual way, and keep theirs.

docs/client.md has the figures. No other module knows how a body is read.
"""

import socket
import ssl
import sys
from contextlib import suppress

import httpx

from weightinit.errors import BrokenTransfer, ServerStalled, Truncated, WeightinitError
from weightinit.transport.urls import mask

# Where a new connection for the next request costs less than copying does; TLS has to shake hands as well.
LONG_BODY = 4 * 2**20
LONG_BODY_TLS = 64 * 2**20

# Bytes that the kernel collects before it wakes us: to be woken for each packet costs more than the bytes do.
# A connection that does not bring as many within the patience, in seconds, is waited on by the byte.
COLLECTED = 2**20
COLLECT_TIMEOUT = 0.25


class Body:
    """The body of one answer, of a length that is known, with a timeout in seconds without a byte."""

    def __init__(self, response: httpx.Response, length: int, timeout: float) -> None:
        self._response = response
        self._chunks = response.iter_raw()
        self._left = length
        self._timeout = timeout
        self._piece: memoryview | None = None
        self._socket: socket.socket | None = None
        self._is_collecting = False

    def read_into(self, view: memoryview) -> int:
        """Read bytes to the beginning of the memory and return how many; 0 where there are no more.

        Raises Truncated where the body ends too early, ServerStalled where nothing comes for too long.
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
        """Check that the body ends here; its connection can then carry another request."""
        if not self._socket and (self._piece or next(self._chunks, b"")):
            raise BrokenTransfer(f"{self._whom} sent more bytes than it announced")

    @property
    def _whom(self) -> str:
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
            raise self._truncated("the answer ended")
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
        # Other systems do not widen the window to as much. TLS counts other bytes than the socket does.
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
        """Check, where bytes are missing, that httpx did not hold them back: the rest would be misplaced."""
        with suppress(OSError):
            source.shutdown(socket.SHUT_RDWR)
        with suppress(httpx.HTTPError):
            if next(self._chunks, b""):
                raise WeightinitError(
                    "this version of httpx keeps bytes back; install the one that was tested"
                )

    def _truncated(self, why: str) -> Truncated:
        return Truncated(f"{self._whom} broke off with {self._left} bytes to come ({why})")

    def _stalled(self) -> ServerStalled:
        return ServerStalled(
            f"{self._whom} sent nothing for {self._timeout:g} s with {self._left} bytes to come; "
            "a larger timeout waits longer"
        )


def find_socket(response: httpx.Response, rest: int) -> socket.socket | None:
    """Find the socket that the rest of a body can be read from; None where httpx had better read it."""
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
