"""Request timeouts: reject requests that do not arrive in time.

One timer checks all requests, because a timer for each would slow down every request.
"""

import asyncio
from time import monotonic
from typing import Protocol

CHECK_INTERVAL = 0.5  # seconds


class Connection(Protocol):
    """A connection that a request is arriving on."""

    def expire(self) -> None:
        """Reject the request that did not arrive in time, unless an earlier response is still being sent."""


class RequestTimeouts:
    """The connections with an incomplete request, and the time when it started to arrive.

    One object serves one event loop. It can be pickled before its first use, for worker processes.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout  # seconds from the first byte of a request to its last
        self._begun: dict[Connection, float] = {}
        self._is_scheduled = False

    def start(self, connection: Connection) -> None:
        """Start the timeout of a request unless it is running."""
        if connection not in self._begun:
            self._begun[connection] = monotonic()
            if not self._is_scheduled:
                self._schedule()

    def stop(self, connection: Connection) -> bool:
        """Stop the timeout of a request. Return whether it was running."""
        return self._begun.pop(connection, None) is not None

    def _schedule(self) -> None:
        self._is_scheduled = True
        asyncio.get_running_loop().call_later(CHECK_INTERVAL, self._check)

    def _check(self) -> None:
        """Expire the requests that take too long. If the connection stays open, the timeout starts again."""
        now = monotonic()
        for connection in [key for key, begun in self._begun.items() if begun + self._timeout <= now]:
            self._begun[connection] = now
            connection.expire()
        self._is_scheduled = False
        if self._begun:
            self._schedule()
