"""Timeouts: reject requests that do not arrive in time, and abort connections whose client does not read.

One timer checks all connections, because a timer for each would slow down every request.
"""

import asyncio
from time import monotonic
from typing import Protocol

from service.api.metrics import SEND_TIMEOUTS

CHECK_INTERVAL = 0.5  # seconds


class Connection(Protocol):
    """A connection of the server."""

    def expire(self) -> None:
        """Reject the request that did not arrive in time, unless an earlier response is still being sent."""

    def count_unsent(self) -> int:
        """Return the number of bytes of responses that the socket has not accepted yet."""

    def abort(self) -> None:
        """Close the connection at once."""


class Timer:
    """Calls `_check` every CHECK_INTERVAL while it returns whether there is anything left to check.

    One object serves one event loop. It can be pickled before its first use, for worker processes.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout  # seconds
        self._is_scheduled = False

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_later(CHECK_INTERVAL, self._run)

    def _run(self) -> None:
        self._is_scheduled = False
        if self._check():
            self._schedule()

    def _check(self) -> bool:
        raise NotImplementedError


class RequestTimeouts(Timer):
    """The connections with an incomplete request, and the time when it started to arrive.

    `timeout` is in seconds from the first byte of a request to its last.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(timeout)
        self._begun: dict[Connection, float] = {}

    def start(self, connection: Connection) -> None:
        """Start the timeout of a request unless it is running."""
        if connection not in self._begun:
            self._begun[connection] = monotonic()
            self._schedule()

    def stop(self, connection: Connection) -> bool:
        """Stop the timeout of a request. Return whether it was running."""
        return self._begun.pop(connection, None) is not None

    def _check(self) -> bool:
        """Expire the requests that take too long. If the connection stays open, the timeout starts again."""
        now = monotonic()
        for connection in [key for key, begun in self._begun.items() if begun + self._timeout <= now]:
            self._begun[connection] = now
            connection.expire()
        return bool(self._begun)


class SendTimeouts(Timer):
    """The connections whose socket accepts no more bytes: how many are unsent, and since when.

    `timeout` is in seconds in which at least one byte must be accepted.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(timeout)
        self._stalled: dict[Connection, tuple[int, float]] = {}

    def start(self, connection: Connection) -> None:
        """Start the timeout of a connection whose socket is full."""
        self._stalled[connection] = connection.count_unsent(), monotonic()
        self._schedule()

    def stop(self, connection: Connection) -> None:
        """Stop the timeout of a connection whose bytes are sent, or which is closed."""
        self._stalled.pop(connection, None)

    def _check(self) -> bool:
        """Abort the connections that made no progress for too long."""
        now = monotonic()
        for connection, (before, since) in list(self._stalled.items()):
            unsent = connection.count_unsent()
            if unsent and unsent >= before and since + self._timeout > now:
                continue
            if unsent and unsent < before:
                self._stalled[connection] = unsent, now
                continue
            del self._stalled[connection]
            if unsent:
                SEND_TIMEOUTS.inc()
                connection.abort()
        return bool(self._stalled)
