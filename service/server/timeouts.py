"""Arrivals: requests that are still coming, and an end to those that take too long.

A timer for each would cost every request something: now and then all are looked at together.
"""

import asyncio
from time import monotonic
from typing import Protocol

STATE = "weightinit.arrivals"  # where the server finds them in what the lifespan has for it
PERIOD = 0.5  # seconds from one look to the next


class Arrival(Protocol):
    """A connection with a request on its way."""

    def give_up(self) -> None:
        """Close, unless there is something to finish first."""


class Arrivals(dict[Arrival, float]):
    """Connections whose request is not whole yet, and the moment that it began to arrive."""

    async def watch(self, patience: float) -> None:
        """Give up those that take longer than so many seconds; one that stays has as many again."""
        while True:
            await asyncio.sleep(PERIOD)
            now = monotonic()
            for arrival in [arrival for arrival, begun in self.items() if begun + patience <= now]:
                self[arrival] = now
                arrival.give_up()
