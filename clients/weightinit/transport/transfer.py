"""Transfers: one representation on its way, through broken connections and from endpoint to endpoint."""

from collections.abc import Callable
from functools import partial

import httpx

from weightinit.errors import (
    BrokenTransfer,
    DigestMismatch,
    DigestMissing,
    EndpointsDisagree,
    NotWeightinit,
    Truncated,
    WrongLength,
    WrongRange,
)
from weightinit.transport.body import Body
from weightinit.transport.requests import Query
from weightinit.transport.responses import RAW, WANTED, Head, raise_for_status
from weightinit.transport.retry import Attempts, check_interrupt
from weightinit.transport.session import Session
from weightinit.transport.sinks import Sink
from weightinit.transport.urls import mask

# An attempt that brought this many bytes more than any before is not counted among the failures.
PROGRESS = 2**20

Watch = Callable[[int, int], None]


class Transfer:
    """The bytes of one representation, into a sink.

    `size` is how many there have to be; None takes the service's word for it. `received` bytes of the
    representation that `etag` names may be in the sink already. `watch` is told how many bytes of how many
    are there; what it raises ends the transfer.
    """

    def __init__(
        self,
        query: Query,
        sink: Sink,
        size: int | None,
        *,
        verify: bool = False,
        watch: Watch | None = None,
        received: int = 0,
        etag: str | None = None,
    ) -> None:
        self.size = size
        self.received = received
        self.etag = etag
        self.lifetime = 0.0
        self._query = query
        self._sink = sink
        self._required = size
        self._verify = verify
        self._watch = watch
        self._digest: bytes | None = None
        self._source: str | None = None
        self._most = received

    @property
    def verified(self) -> bytes | None:
        """The SHA-256 of all the bytes, where they were checked against it."""
        return self._digest if self._verify else None

    def run(self, session: Session, attempts: Attempts) -> None:
        """Bring all the bytes, in as many attempts as it takes. Raises WeightinitError."""
        attempts.run(partial(self._attempt, session), self._has_progressed)

    def _attempt(self, session: Session, endpoint: str) -> None:
        try:
            self._ask(session, endpoint)
            self._check_digest()
        except BrokenTransfer as error:
            if not isinstance(error, Truncated):
                self.received = 0
            raise

    def _has_progressed(self) -> bool:
        progressed = self.received - self._most >= PROGRESS
        self._most = max(self._most, self.received)
        return progressed

    def _ask(self, session: Session, endpoint: str) -> None:
        headers = {"Accept": RAW}
        if self.received and self.etag:
            # RFC 9110, section 13.1.5: the rest if it is still the same, all of it otherwise.
            headers |= {"Range": f"bytes={self.received}-", "If-Range": self.etag}
        else:
            self.received = 0
        if self._verify and not self._digest:
            headers |= WANTED
        with session.request(endpoint, self._query, headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise WrongRange(f"{mask(response.url)} does not have the rest of {self._query.label}")
            raise_for_status(response, self._query.label)
            size = self._admit(Head.of(response, self._query.label), endpoint)
            self._receive(Body(response, size - self.received, session.timeout), size)

    def _admit(self, head: Head, endpoint: str) -> int:
        """Check that the response is to the request, and return the size of the whole."""
        self._recognize(head, endpoint)
        size = head.size if self._required is None else self._required
        if size is None:
            raise NotWeightinit(f"{head.url} does not say how long its answer is; check the URL")
        if head.is_partial and (head.start != self.received or head.size != size or not self.received):
            raise WrongRange(
                f"{head.url} answered with bytes {head.start} to {head.size} of {self._query.label}, "
                f"requested were {self.received} to {size}"
            )
        if head.size not in {None, size}:
            raise WrongLength(
                f"{head.url} announced {head.size} bytes for {self._query.label}, which has {size}"
            )
        self.size = size
        return size

    def _recognize(self, head: Head, endpoint: str) -> None:
        """Take note of what is being sent. A part, and any other endpoint, must send the same."""
        if head.etag != self.etag and self._source is not None and self._source != endpoint:
            raise EndpointsDisagree(
                f"{head.url} has {head.etag} for {self._query.label}, and {mask(self._source)} has "
                f"{self.etag}: they serve different versions; name only replicas of one service"
            )
        if head.is_partial and head.etag != self.etag:
            raise WrongRange(
                f"{head.url} answered with a part of {head.etag}, requested was one of {self.etag}"
            )
        self._digest = head.digest or (self._digest if head.etag == self.etag else None)
        self.etag, self._source = head.etag, endpoint
        if not head.is_partial:
            self.received, self.lifetime = 0, head.lifetime
        if self._verify and not self._digest:
            raise DigestMissing(
                f"{head.url} sent no SHA-256 of {self._query.label} to verify it by; it may be too long for "
                "one: ask for slices of it, or without verify"
            )

    def _receive(self, body: Body, size: int) -> None:
        if not self.received:
            self._sink.begin(self.etag)
        while self.received < size:
            check_interrupt()
            if self._watch:
                self._watch(self.received, size)
            self.received += self._sink.take(body, self.received)
        body.finish()
        if self._watch:
            self._watch(self.received, size)

    def _check_digest(self) -> None:
        if self._verify and self._sink.compute_digest() != self._digest:
            url = mask(self._source or "")
            raise DigestMismatch(f"{url} sent {self._query.label} with another SHA-256 than it announced")
