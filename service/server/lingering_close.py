"""Lingering close: the end of a connection whose client is still sending when it gets the last response.

Closing a socket with unread bytes resets the connection, and the reset may destroy the response before the
client has read it. RFC 9112, section 9.6: close the sending side first, and read on until the client closes.
"""

import asyncio
from collections.abc import Callable

LINGER_TIMEOUT = 1.0  # seconds that the client has to read the response and close
MAX_UNREAD_BYTES = 2**20  # bytes that the client may send meanwhile


class ResponseTransport:
    """The part of a transport that a response uses, with a `close` of the server's own."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write, self.is_closing, self.close = transport.write, transport.is_closing, close


class LingeringClose(asyncio.Protocol):
    """The protocol of a connection after its last response. It discards all that it receives."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._protocol = transport, transport.get_protocol()
        self._received = 0

    def begin(self) -> None:
        """Close the sending side now, and the connection when the client does or the timeout is over.

        TLS cannot close one side only (asyncio's transports do not): there the client goes by Content-Length.
        """
        self._transport.set_protocol(self)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_TIMEOUT, self._transport.close)

    def data_received(self, data: bytes) -> None:
        """Discard what the client sends, and close above the limit."""
        self._received += len(data)
        if self._received > MAX_UNREAD_BYTES:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the protocol that answered."""
        self._protocol.connection_lost(exc)
