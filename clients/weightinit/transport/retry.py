"""Retries: which endpoint to ask next, and after how long."""

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

# Set for a thread by whoever may give up waiting for it; asyncio.to_thread hands it over.
stopping: ContextVar[threading.Event | None] = ContextVar("stopping", default=None)


def check_interrupt() -> None:
    """Raise WeightinitError where nobody waits for this any longer."""
    event = stopping.get()
    if event is not None and event.is_set():
        raise WeightinitError("the task of the request was cancelled")


def pause(seconds: float) -> None:
    """Sleep, or until nobody waits any longer, which raises WeightinitError."""
    event = stopping.get()
    if event is None:
        time.sleep(seconds)
    else:
        event.wait(seconds)
        check_interrupt()


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retry:
    """How often to try again, and how long to wait between rounds over the endpoints.

    `attempts` counts every request for one thing, the first among them; those that brought new bytes of a
    long transfer are free. Before round n the wait is drawn from 0 to min(`longest`, `base` · 2ⁿ) seconds
    ("full jitter": Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015), or what the
    service asks for with Retry-After; one that asks for more than `patience` seconds is not waited for.
    """

    attempts: int = 6
    base: float = 0.1
    longest: float = 10.0
    patience: float = 60.0

    def compute_delay(self, rounds: int, draw: Callable[[], float] = random.random) -> float:
        """Compute the seconds to wait after some rounds over the endpoints, given a draw from 0 to 1.

        >>> [Retry(base=0.1, longest=10).compute_delay(n, draw=lambda: 1) for n in (0, 1, 9)]
        [0.1, 0.2, 10.0]
        """
        # 2¹⁰²⁴ is no float.
        return float(min(self.longest, self.base * 2.0 ** min(rounds, 64)) * draw())


class Attempts:
    """The attempts at one thing: an endpoint to ask, and what to do when it fails."""

    def __init__(self, endpoints: Sequence[str], retry: Retry, first: int = 0) -> None:
        self._endpoints = endpoints
        self._retry = retry
        self._index = first
        self._failures = 0
        self._asked = 0  # endpoints since the last wait
        self._rounds = 0

    @property
    def index(self) -> int:
        """Which endpoint's turn it is."""
        return self._index % len(self._endpoints)

    @property
    def endpoint(self) -> str:
        """The endpoint whose turn it is."""
        return self._endpoints[self.index]

    def run(self, ask: Callable[[str], T], has_progressed: Callable[[], bool] = lambda: False) -> T:
        """Ask endpoint after endpoint until one answers. A failure that brought something on is not counted.

        Raises what the last one did, where trying again is no use or was tried often enough.
        """
        while True:
            try:
                return ask(self.endpoint)
            except WeightinitError as error:
                self._settle(error, progressed=has_progressed())

    def _settle(self, error: WeightinitError, *, progressed: bool) -> None:
        """Make it the next endpoint's turn, waiting where all of them have been tried; or raise the error."""
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
            error.add_note(f"it asks to come back in {asked_for:g} s, which is too long to wait for")
            raise error
        pause(max(asked_for, self._retry.compute_delay(self._rounds)))
        self._asked = 0
        self._rounds += 1


def parse_retry_after(text: str, now: datetime | None = None) -> float | None:
    """Parse Retry-After to seconds from now; None where it says nothing (RFC 9110, section 10.2.3).

    >>> parse_retry_after("120"), parse_retry_after("soon")
    (120.0, None)
    """
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    if then.tzinfo is None:
        return None
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())
