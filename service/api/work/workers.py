"""Workers: threads that draw or wait for the store. They run jobs in the order of arrival."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")
A = TypeVar("A")


class Job(NamedTuple):
    """A function to run, and the future that gets its result."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    function: Callable[[Any], Any]
    argument: Any

    def run(self) -> None:
        """Run the function unless its future was cancelled."""
        if self.future.cancelled():
            return
        try:
            result = self.function(self.argument)
        except Exception as error:  # noqa: BLE001  # the future raises it
            self._tell(_fail, error)
        else:
            self._tell(_settle, result)

    def _tell(self, how: Callable[..., None], value: object) -> None:
        try:
            self.loop.call_soon_threadsafe(how, self.future, value)
        except RuntimeError:
            return  # the loop was closed meanwhile


class Workers:
    """A pool of threads beside the event loop's.

    A ThreadPoolExecutor creates two futures and a lock for each job. That took a tenth of the processor time
    of a stream.
    """

    def __init__(self, threads: int, name: str = "draw") -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = threads
        for number in range(threads):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def run(self, function: Callable[[A], T], argument: A) -> asyncio.Future[T]:
        """Run a function of one argument in a thread, unless its future is cancelled first."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(Job(loop, future, function, argument))
        return future

    def have_waiting(self) -> bool:
        """Return whether a job waits for a thread."""
        return not self._jobs.empty()

    def close(self) -> None:
        """End the threads after the queued jobs."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while job := self._jobs.get():
            job.run()
            del job  # otherwise its result stays in memory until the next job


def _settle(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[T], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
