"""Transfers: download a representation, resume after broken connections, and switch endpoints."""

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
    WeightinitError,
    WrongLength,
    WrongRange,
)
from weightinit.transport.body import Body
from weightinit.transport.digests import WANTED
from weightinit.transport.pace import Pace
from weightinit.transport.requests import Query
from weightinit.transport.responses import RAW, Head, raise_for_status
from weightinit.transport.retry import Attempts, check_interrupt
from weightinit.transport.session import Session
from weightinit.transport.sinks import Sink
from weightinit.transport.urls import mask

# An attempt that received this many more bytes than any before is not counted as a failure.
PROGRESS = 2**20


class DigestNotCachedError(WeightinitError):
    """The response has no digest, and the next request asks past all caches."""


Watch = Callable[[int, int], None]


class Transfer:
    """A download of one representation into a sink.

    `size` is the expected number of bytes; None accepts any. The sink may have `received` bytes of the
    representation with the tag `etag` already. `watch` is called with the received and the total bytes;
    what it raises ends the transfer.
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
        self._is_past_caches = False

    @property
    def verified(self) -> bytes | None:
        """The SHA-256 of all bytes; None if it was not checked."""
        return self._digest if self._verify else None

    def run(self, session: Session, attempts: Attempts) -> None:
        """Download all bytes, with retries. Raises WeightinitError."""
        attempts.run(partial(self._attempt, session), self._has_progressed)

    def _attempt(self, session: Session, endpoint: str) -> None:
        try:
            try:
                self._ask(session, endpoint)
            except DigestNotCachedError:
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
            # RFC 9110, section 13.1.5: the rest if the tag still matches, else all of it.
            headers |= {"Range": f"bytes={self.received}-", "If-Range": self.etag}
        else:
            self.received = 0
        if self._verify and not self._digest:
            headers |= WANTED
        if self._is_past_caches:
            headers["Cache-Control"] = "no-cache"
        with session.request(endpoint, self._query, headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise WrongRange(f"{mask(response.url)} does not have the rest of {self._query.label}")
            raise_for_status(response, self._query.label)
            size = self._admit(Head.of(response, self._query), endpoint)
            body = Body(response, size - self.received, session.timeout)
            self._receive(body, size, Pace(response))

    def _admit(self, head: Head, endpoint: str) -> int:
        """Check that the response matches the request, and return the size of the whole."""
        self._recognize(head, endpoint)
        size = head.size if self._required is None else self._required
        if size is None:
            raise NotWeightinit(f"{head.url} sent no length; check the URL")
        if head.is_partial and (head.start != self.received or head.size != size or not self.received):
            raise WrongRange(
                f"{head.url} responded with bytes {head.start} to {head.size} of {self._query.label}; "
                f"requested were {self.received} to {size}"
            )
        if head.size not in {None, size}:
            raise WrongLength(
                f"{head.url} announced {head.size} bytes for {self._query.label}, which has {size}"
            )
        self.size = size
        return size

    def _recognize(self, head: Head, endpoint: str) -> None:
        """Record the tag and digest of the response. A part, and another endpoint, must have the same tag."""
        if head.etag != self.etag and self._source is not None and self._source != endpoint:
            raise EndpointsDisagree(
                f"{head.url} has {head.etag} for {self._query.label}, and {mask(self._source)} has "
                f"{self.etag}: they serve different versions; list only replicas of one service"
            )
        if head.is_partial and head.etag != self.etag:
            raise WrongRange(
                f"{head.url} responded with a part of {head.etag}; requested was one of {self.etag}"
            )
        self._digest = head.digest or (self._digest if head.etag == self.etag else None)
        self.etag, self._source = head.etag, endpoint
        if not head.is_partial:
            self.received, self.lifetime = 0, head.lifetime
        if self._verify and not self._digest:
            if not self._is_past_caches:
                # A cache may have stored the response to a request that did not want a digest.
                self._is_past_caches = True
                raise DigestNotCachedError(f"{head.url} sent no SHA-256 of {self._query.label}")
            raise DigestMissing(
                f"{head.url} sent no SHA-256 of {self._query.label}, which may be too long for one; "
                "request slices of it, or turn off verify"
            )

    def _receive(self, body: Body, size: int, pace: Pace) -> None:
        if not self.received:
            self._sink.begin(self.etag)
        while self.received < size:
            check_interrupt()
            if self._watch:
                self._watch(self.received, size)
            read = self._sink.take(body, self.received)
            self.received += read
            pace.check(read)
        body.finish()
        if self._watch:
            self._watch(self.received, size)

    def _check_digest(self) -> None:
        if self._verify and self._sink.compute_digest() != self._digest:
            url = mask(self._source or "")
            raise DigestMismatch(f"{url} sent {self._query.label} with another SHA-256 than it announced")
