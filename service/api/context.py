"""Context: what requests share in one process."""

from dataclasses import dataclass
from typing import Self, cast

from starlette.requests import Request

from service.api.catalogue import Catalogue
from service.api.digests import Digests
from service.api.workers import Workers
from service.settings import Settings
from service.store import Store

# They wait for a database or a disk, and never hold up those that draw.
STORING_THREADS = 4


@dataclass(slots=True)
class Context:
    """The settings, the threads that draw, store and parse, the digests and models known, the state."""

    settings: Settings
    workers: Workers
    digests: Digests
    store: Store
    storing: Workers
    parsing: Workers
    catalogue: Catalogue
    openapi: bytes
    ready: bool = False
    open_streams: int = 0

    @classmethod
    def of(cls, settings: Settings, openapi: bytes) -> Self:
        """Make the context of a process that describes itself so."""
        workers = Workers(settings.threads)
        storing = Workers(STORING_THREADS, "store")
        return cls(
            settings,
            workers,
            Digests(workers),
            Store.of(settings),
            storing,
            Workers(1, "parse"),
            Catalogue(),
            openapi,
        )


def get_context(request: Request) -> Context:
    """Return the context that a request is answered in."""
    return cast("Context", request.app.state.context)
