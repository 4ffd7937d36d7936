"""Offers: a representation with its entity tag and the headers that tell what it is."""

from dataclasses import dataclass
from typing import Self

from service.api.etags import compute_etag
from service.api.representations import Representation
from service.stream import STREAM_VERSION

CACHING = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Offer:
    """A whole representation, its entity tag, and the headers that tell what it is."""

    whole: Representation
    etag: str
    headers: dict[str, str]

    @classmethod
    def of(cls, whole: Representation, said: dict[str, str]) -> Self:
        """Offer a representation, with what else there is to say of it."""
        etag = compute_etag(whole)
        headers = {
            "Content-Type": whole.media_type,
            "ETag": etag,
            "Cache-Control": CACHING,
            "Vary": "Accept",
            "Accept-Ranges": "bytes",
            "Weightinit-Stream": str(STREAM_VERSION),
            **said,
        }
        return cls(whole, etag, headers)
