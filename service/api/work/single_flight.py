"""Single flight: equal computations that overlap run once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Flight(Generic[T]):
    task: asyncio.Task[T]
    waiters: int = 0


class SingleFlight(Generic[T]):
    """Runs one task for each key, however many wait for its result.

    A waiter that is cancelled leaves the task to the others. The last one to leave cancels it.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}

    def is_running(self, key: Hashable) -> bool:
        """Return whether a task of a key runs."""
        return key in self._flights

    async def run(
        self,
        key: Hashable,
        start: Callable[[], Coroutine[Any, Any, T]],
        end: Callable[[], None] | None = None,
    ) -> T:
        """Return the result of the task of a key, which is started unless it runs. Raises what it raises.

        `end` is called when a task that was started is done or cancelled.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(start()))
            if end:
                flight.task.add_done_callback(lambda _: end())
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if not flight.waiters:
                flight.task.cancel()  # without effect if it is done
                self._flights.pop(key, None)
