"""Partings: the end of a connection whose client is still sending when it gets its last answer.

A connection that is closed with bytes unread is reset, and with it goes what the client has not yet read (RFC
9112, section 9.6). So we stop writing first, and read on for a moment.
"""

import asyncio
from collections.abc import Callable

PATIENCE = 1.0  # seconds that the client has to read the answer,
MOST_UNREAD = 2**20  # and bytes that it may send meanwhile


class Exit:
    """What an answer needs of a transport, to close which is somebody else's affair."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write, self.is_closing, self.close = transport.write, transport.is_closing, close


class Parting(asyncio.Protocol):
    """What becomes of a connection after the last answer; its protocol is told when it is lost."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._protocol = transport, transport.get_protocol()
        self._unread = 0

    def begin(self) -> None:
        """Stop writing, and close when the client does, or soon."""
        self._transport.set_protocol(self)
        self._transport.write_eof()
        asyncio.get_running_loop().call_later(PATIENCE, self._transport.close)

    def data_received(self, data: bytes) -> None:
        """Forget what comes, up to a limit."""
        self._unread += len(data)
        if self._unread > MOST_UNREAD:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the protocol."""
        self._protocol.connection_lost(exc)
