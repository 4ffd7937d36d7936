"""Context: what requests share in one process."""

from dataclasses import dataclass
from typing import Self, cast

from starlette.requests import Request

from service.api.digests import Digests
from service.api.workers import Workers
from service.settings import Settings


@dataclass(slots=True)
class Context:
    """The settings, the threads that draw, the digests known, the OpenAPI document, and the state."""

    settings: Settings
    workers: Workers
    digests: Digests
    openapi: bytes
    ready: bool = False
    open_streams: int = 0

    @classmethod
    def of(cls, settings: Settings, openapi: bytes) -> Self:
        """Make the context of a process that describes itself so."""
        workers = Workers(settings.threads)
        return cls(settings, workers, Digests(workers), openapi)


def get_context(request: Request) -> Context:
    """Return the context that a request is answered in."""
    return cast("Context", request.app.state.context)
