"""Context: what requests share in one process."""

import asyncio
import gc
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Self, TypeVar, TypeVarTuple, cast

from starlette.requests import Request

import service
from service.api.content.digests import Digests
from service.api.model_cache import ModelCache
from service.api.wheel import Wheel, find_wheel
from service.api.workers import Workers
from service.settings import Settings
from service.store import Store, StoreUnavailableError
from service.stream.selfcheck import check

# They wait for a database or a disk, and never hold up those that draw.
STORE_THREADS = 4


@dataclass(slots=True)
class Context:
    """The settings, the threads that draw, store and parse, what is known and served, the state."""

    settings: Settings
    workers: Workers
    digests: Digests
    store: Store
    store_workers: Workers
    parse_workers: Workers
    models: ModelCache
    openapi: bytes
    wheel: Wheel | None
    ready: bool = False
    open_streams: int = 0
    checking: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, settings: Settings, openapi: bytes) -> Self:
        """Make the context of a process that describes itself so."""
        workers = Workers(settings.threads)
        store_workers = Workers(STORE_THREADS, "store")
        return cls(
            settings,
            workers,
            Digests(workers),
            Store.of(settings),
            store_workers,
            Workers(1, "parse"),
            ModelCache(),
            openapi,
            find_wheel(settings.wheel_directory, service.__version__),
        )

    def start_check(self) -> None:
        """Start the self-check, unless it was: at the start, or when readiness is requested without one."""
        if self.checking is None:
            self.checking = asyncio.ensure_future(check_stream(self))

    def stop_check(self) -> None:
        """Stop the self-check, and be ready no more."""
        if self.checking:
            self.checking.cancel()
        self.ready = False


async def check_stream(context: Context) -> None:
    """Report ready once the stream has drawn what it always drew."""
    await asyncio.to_thread(check)
    gc.freeze()  # what is there by now stays: looking through it would hold all requests up for 140 ms
    context.ready = True


def get_context(request: Request) -> Context:
    """Return the context that a request is answered in."""
    return cast("Context", request.app.state.context)


T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

# Longer than the timeout of any database, whose own error is the better one.
STORE_TIMEOUT = 10.0  # seconds


async def call_store(context: Context, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Call a method of the store in a thread of the store's own, and let nothing else wait for it.

    Raises what the method raises, and StoreUnavailableError when it takes too long.
    """
    try:
        async with asyncio.timeout(STORE_TIMEOUT):
            return await context.store_workers.run(operator.call, partial(function, *arguments))
    except TimeoutError:
        raise StoreUnavailableError("The storage did not answer in time.") from None
