"""Retries: which endpoint to try next, and when."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from weightinit.errors import WeightinitError

# Set by a caller that may cancel a thread; asyncio.to_thread copies it to the thread.
stopping: ContextVar[threading.Event | None] = ContextVar("stopping", default=None)


def check_interrupt() -> None:
    """Raise WeightinitError if the caller has cancelled this thread."""
    event = stopping.get()
    if event is not None and event.is_set():
        raise WeightinitError("the task of the request was cancelled")


def pause(seconds: float) -> None:
    """Sleep. Raises WeightinitError if the caller cancels this thread."""
    event = stopping.get()
    if event is None:
        time.sleep(seconds)
    else:
        event.wait(seconds)
        check_interrupt()


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retry:
    """The number of attempts, and the wait between rounds over the endpoints.

    `attempts` includes the first request; attempts that received new bytes of a long transfer are not
    counted. Before round n the wait is drawn from 0 to min(`longest`, `base` · 2ⁿ) seconds ("full jitter":
    Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015), and is at least the service's
    Retry-After; if that is more than `patience` seconds, the error is raised.
    """

    attempts: int = 6
    base: float = 0.1
    longest: float = 10.0
    patience: float = 60.0

    def compute_delay(self, rounds: int, draw: Callable[[], float] = random.random) -> float:
        """Return the seconds to wait after some rounds over the endpoints; `draw` returns 0 to 1.

        >>> [Retry(base=0.1, longest=10).compute_delay(n, draw=lambda: 1) for n in (0, 1, 9)]
        [0.1, 0.2, 10.0]
        """
        # 2¹⁰²⁴ overflows a float.
        return float(min(self.longest, self.base * 2.0 ** min(rounds, 64)) * draw())


class Attempts:
    """The attempts at one request: the endpoint to try, and what to do when it fails."""

    def __init__(self, endpoints: Sequence[str], retry: Retry, first: int = 0) -> None:
        self._endpoints = endpoints
        self._retry = retry
        self._index = first
        self._failures = 0
        self._asked = 0  # endpoints tried since the last wait
        self._rounds = 0

    @property
    def index(self) -> int:
        """The index of the current endpoint."""
        return self._index % len(self._endpoints)

    @property
    def endpoint(self) -> str:
        """The current endpoint."""
        return self._endpoints[self.index]

    def run(self, ask: Callable[[str], T], has_progressed: Callable[[], bool] = lambda: False) -> T:
        """Call `ask` with each endpoint in turn until one succeeds. Failures with progress do not count.

        Raises the last error if it is not retryable, or after the last attempt.
        """
        while True:
            try:
                return ask(self.endpoint)
            except WeightinitError as error:
                self._settle(error, progressed=has_progressed())

    def _settle(self, error: WeightinitError, *, progressed: bool) -> None:
        """Switch to the next endpoint, and wait if all have been tried; or raise the error."""
        self._failures = 0 if progressed else self._failures + 1
        self._rounds = 0 if progressed else self._rounds
        self._asked += 1
        if not error.retryable:
            raise error
        if self._failures >= self._retry.attempts:
            if self._failures > 1:
                error.add_note(f"gave up after {self._failures} attempts")
            raise error
        self._index += 1
        if self._asked < len(self._endpoints):
            return
        asked_for = getattr(error, "retry_after", None) or 0.0
        if asked_for > self._retry.patience:
            error.add_note(f"Retry-After of {asked_for:g} s is over the limit of {self._retry.patience:g} s")
            raise error
        pause(max(asked_for, self._retry.compute_delay(self._rounds)))
        self._asked = 0
        self._rounds += 1


def parse_retry_after(text: str, now: datetime | None = None) -> float | None:
    """Return the seconds in a Retry-After header; None if it is invalid (RFC 9110, section 10.2.3).

    >>> parse_retry_after("120"), parse_retry_after("soon")
    (120.0, None)
    """
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if then.tzinfo is None:
        return None
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())
