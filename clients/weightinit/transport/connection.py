"""The connection: a service or its replicas, tried in turn until one responds."""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeVar

import httpx

from weightinit.errors import NotWeightinit
from weightinit.settings import Settings
from weightinit.transport.progress import show_progress
from weightinit.transport.requests import Query
from weightinit.transport.responses import raise_for_status
from weightinit.transport.retry import Attempts
from weightinit.transport.session import Session
from weightinit.transport.sinks import Sink
from weightinit.transport.transfer import Transfer
from weightinit.transport.urls import mask

T = TypeVar("T")

ACCEPT_JSON: Mapping[str, str] = {"Accept": "application/json"}
DONE = frozenset({httpx.codes.OK, httpx.codes.CREATED})


class Connection:
    """Sends a client's requests."""

    def __init__(self, settings: Settings, *, progress: bool | None = None) -> None:
        self._settings = settings
        self._session = Session(settings)
        self._progress = progress
        self._preferred = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"weightinit.Client({', '.join(mask(endpoint) for endpoint in self._settings.endpoints)!r})"

    @property
    def url(self) -> str:
        """The URL of the service, or of its first replica, without a trailing slash."""
        return self._settings.endpoints[0]

    def close(self) -> None:
        """Close the connections. A client that is used again opens new ones."""
        self._session.close()

    def exchange(
        self, query: Query, read: Callable[[httpx.Response], T], accept: Mapping[str, str] = ACCEPT_JSON
    ) -> T:
        """Send a query and return what `read` returns for its response.

        Retryable errors, including those of `read`, lead to another attempt. `accept` has the headers that
        select the representation.
        """
        headers = dict(accept)
        if query.body is not None:
            headers["Content-Type"] = "application/json"

        def ask(endpoint: str) -> T:
            with self._session.request(endpoint, query, headers) as response:
                raise_for_status(response, query.label)
                if response.status_code not in DONE:
                    raise NotWeightinit(
                        f"{mask(response.url)} responded with {response.status_code}; check the URL"
                    )
                return read(response)

        attempts = self._start_attempts()
        answer = attempts.run(ask)
        self._preferred = attempts.index
        return answer

    def transfer(
        self, query: Query, sink: Sink, size: int | None, *, received: int = 0, etag: str | None = None
    ) -> Transfer:
        """Transfer a representation's bytes to a sink, showing the progress; see Transfer."""
        attempts = self._start_attempts()
        verify = self._settings.verify
        with show_progress(query.label, size, wanted=self._progress) as watch:
            transfer = Transfer(query, sink, size, verify=verify, watch=watch, received=received, etag=etag)
            transfer.run(self._session, attempts)
        self._preferred = attempts.index
        return transfer

    def _start_attempts(self) -> Attempts:
        # Start with the endpoint that responded last.
        return Attempts(self._settings.endpoints, self._settings.retry, self._preferred)
