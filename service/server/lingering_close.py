"""Lingering close: close a connection whose client still sends when it gets the last response.

Closing a socket with unread bytes resets the connection, and the reset can destroy the response before the
client has read it. So close the sending side first, and keep reading until the client closes (RFC 9112,
section 9.6).
"""

import asyncio
from collections.abc import Callable

LINGER_TIMEOUT = 1.0  # seconds in which the client must read the response and close
MAX_UNREAD_BYTES = 2**24  # bytes that the client may send meanwhile


class ResponseTransport:
    """The part of a transport that a response uses, with the server's `close`."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write, self.is_closing, self.close = transport.write, transport.is_closing, close


class LingeringClose(asyncio.Protocol):
    """The protocol of a connection after its last response. It discards everything it receives."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._protocol = transport, transport.get_protocol()
        self._received = 0

    def begin(self) -> None:
        """Close the sending side now, and the connection when the client closes it or after the timeout.

        asyncio cannot close one side of TLS. There the client finds the end by Content-Length.
        """
        self._transport.set_protocol(self)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_TIMEOUT, self._transport.close)

    def data_received(self, data: bytes) -> None:
        """Discard what the client sends, and stop reading above the limit.

        Closing would reset the connection. A client that cannot send on reads the response instead.
        """
        self._received += len(data)
        if self._received > MAX_UNREAD_BYTES:
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass the event on to the protocol that sent the response."""
        self._protocol.connection_lost(exc)
