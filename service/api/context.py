"""Context: the state that requests share in one process."""

import asyncio
import gc
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Self, TypeVar, TypeVarTuple, cast

from starlette.requests import Request

import service
from service.api.content.digests import Digests
from service.api.metrics import READY_WORKERS, STORE_ERRORS, STORE_SECONDS, start_metrics
from service.api.model_cache import ModelCache
from service.api.token_cache import TokenCache
from service.api.wheel import Wheel, find_wheel
from service.api.work.shares import Shares
from service.api.work.workers import Workers
from service.settings import Settings
from service.store import Store, StoreUnavailableError
from service.stream import STREAM_VERSION
from service.stream.selfcheck import check

# These threads wait for a database or a disk, so they are separate from those that draw.
# Writers have their own: they may wait for a lock, which readers do not need.
STORE_THREADS = 4
# Loads of models, and contents made of many parts, that wait for their turn.
MAX_MODEL_WORK = 32


@dataclass(slots=True)
class Context:
    """The settings, threads, caches, store and state of a process."""

    settings: Settings
    workers: Workers
    digests: Digests
    store: Store
    store_readers: Workers
    store_writers: Workers
    parse_workers: Workers
    stream_shares: Shares
    digest_shares: Shares
    models: ModelCache
    tokens: TokenCache
    openapi: bytes
    wheel: Wheel | None
    ready: bool = False
    checking: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, settings: Settings, openapi: bytes) -> Self:
        """Make the context of a process. `openapi` is the rendered OpenAPI document."""
        workers = Workers(settings.threads)
        return cls(
            settings,
            workers,
            Digests(workers),
            Store.of(settings),
            Workers(STORE_THREADS, "read"),
            Workers(STORE_THREADS, "write"),
            Workers(1, "parse"),
            Shares("large bodies", settings.max_streams, settings.peer_share),
            Shares("digests", settings.max_digests, settings.peer_share),
            ModelCache(Shares("requests for large models", MAX_MODEL_WORK, settings.peer_share)),
            TokenCache(),
            openapi,
            find_wheel(settings.wheel_directory, service.__version__),
        )

    def start_check(self) -> None:
        """Start the self-check unless it was started: at startup, or at the first readiness request."""
        if self.checking is None:
            start_metrics(STREAM_VERSION)
            self.checking = asyncio.ensure_future(check_stream(self))

    def stop_check(self) -> None:
        """Stop the self-check. The process is then no longer ready."""
        if self.checking:
            self.checking.cancel()
        self.ready = False
        READY_WORKERS.set(0)


async def check_stream(context: Context) -> None:
    """Set ready after the stream has drawn the golden vectors."""
    await asyncio.to_thread(check)
    gc.freeze()  # existing objects stay alive, and scanning them would block all requests for 140 ms
    context.ready = True
    READY_WORKERS.set(1)


def get_context(request: Request) -> Context:
    """Return the context of a request's application."""
    return cast("Context", request.app.state.context)


T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

# Longer than the timeout of each database, because the database's error has more detail.
STORE_TIMEOUT = 10.0  # seconds


async def read_store(context: Context, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Call a method of the store that reads, without blocking the event loop.

    Raises what the method raises, and StoreUnavailableError after STORE_TIMEOUT.
    """
    return await _call_store("read", context.store_readers, partial(function, *arguments))


async def write_store(context: Context, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Call a method of the store that writes, as `read_store` does."""
    return await _call_store("write", context.store_writers, partial(function, *arguments))


async def _call_store(kind: str, workers: Workers, call: Callable[[], T]) -> T:
    with STORE_SECONDS.labels(kind).time(), STORE_ERRORS.labels(kind).count_exceptions(StoreUnavailableError):
        try:
            async with asyncio.timeout(STORE_TIMEOUT):
                return await workers.run(copy_context().run, call)  # with the request id, for the log
        except TimeoutError:
            raise StoreUnavailableError("The storage did not respond in time.") from None
