"""Pace: a server that sends next to nothing counts as stalled, although it never stops."""

import time

import httpx

from weightinit.errors import ServerStalled
from weightinit.transport.urls import mask

MIN_SPEED = 1024  # bytes per second, over any timeout


class Pace:
    """Checks that bytes arrive at MIN_SPEED or faster, over periods of the response's read timeout."""

    def __init__(self, response: httpx.Response) -> None:
        timeouts = response.request.extensions.get("timeout", {})
        self._url = mask(response.url)
        self._period = timeouts.get("read") or 0.0
        self._start, self._received = time.monotonic(), 0

    def check(self, received: int) -> None:
        """Count received bytes. Raises ServerStalled after a period with too few."""
        self._received += received
        elapsed = time.monotonic() - self._start
        if not self._period or elapsed < self._period:
            return
        if self._received < MIN_SPEED * elapsed:
            raise ServerStalled(
                f"{self._url} sent {self._received} bytes in {elapsed:.0f} s, less than {MIN_SPEED} per "
                "second; increase timeout= or WEIGHTINIT_TIMEOUT"
            )
        self._start, self._received = time.monotonic(), 0
